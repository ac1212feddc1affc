/** --userns, --uidmap and --subuidname for root: containers with ids of their own, on layers and volumes that keep theirs. */
import { spawnSync } from 'node:child_process'
import { chmodSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TestEngine } from '../support/engine.ts'
import { missing } from '../support/requires.ts'

const FIRST = 3_000_000
const MAPPED = ['--uidmap', `0:${FIRST}:65536`]

describe.skipIf(missing('root', 'cgroup2'))('user namespaces', () => {
  const engine = new TestEngine()
  const succeed = (...args: string[]) => engine.succeed(args)
  const refusal = (...options: string[]) =>
    engine.run(['run', '--rm', ...options, 'busybox', 'true']).stderr

  beforeAll(async () => {
    await engine.loadBusybox()
    succeed('run', '-d', '--name', 'own', ...MAPPED, '-v', 'vol:/vol', 'busybox', 'sleep', '1000')
  })
  afterAll(async () => {
    succeed('rm', '-f', 'own')
    expect(await engine.settled()).toEqual([])
    engine[Symbol.dispose]()
  })

  it('give the container the ids, its root to its root, and the disk those of the image', () => {
    const script = 'cat /proc/self/uid_map /proc/self/gid_map; stat -c %u:%g /bin /etc/hosts /vol'
    const lines = succeed('exec', 'own', 'sh', '-c', script).split('\n')
    expect(lines.map((line) => line.trim().split(/\s+/).join(' '))).toEqual([
      `0 ${FIRST} 65536`,
      `0 ${FIRST} 65536`,
      ...['0:0', '0:0', '0:0'],
    ])
    const pid = succeed('inspect', '-f', '{{.State.Pid}}', 'own')
    expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(
      new RegExp(`^Uid:\\t${FIRST}\\t`, 'm'),
    )
    succeed('exec', '-u', '7:8', 'own', 'sh', '-c', 'echo x > /tmp/seven')
    const upper = succeed('inspect', '-f', '{{.GraphDriver.Data.UpperDir}}', 'own')
    expect(lstatSync(join(upper, 'tmp/seven'))).toMatchObject({ uid: 7, gid: 8 })
    expect(succeed('diff', 'own').split('\n')).toContain('A /tmp/seven')
  })

  it('share volumes with containers that have other ids', () => {
    succeed('exec', '-u', '7', 'own', 'sh', '-c', 'true')
    succeed('exec', 'own', 'sh', '-c', 'echo y > /vol/file; chown 7:8 /vol/file')
    const look = ['-v', 'vol:/vol', 'busybox', 'stat', '-c', '%u:%g', '/vol/file']
    expect(succeed('run', '--rm', ...look)).toBe('7:8')
    expect(succeed('run', '--rm', '--uidmap', '0:4000000:1000', ...look)).toBe('7:8')
  })

  it('leave a volume that is a folder of the host with its ids', () => {
    const folder = join(engine.directory, 'srv')
    mkdirSync(folder, { mode: 0o777 })
    chmodSync(folder, 0o777)
    const device = ['-o', 'type=none', '-o', 'o=bind', '-o', `device=${folder}`]
    succeed('volume', 'create', ...device, 'srv')
    const make = 'cp /bin/busybox /v/sh; chmod 4755 /v/sh'
    succeed('run', '--rm', ...MAPPED, '-v', 'srv:/v', 'busybox', 'sh', '-c', make)
    expect(lstatSync(join(folder, 'sh'))).toMatchObject({ uid: FIRST, gid: FIRST })
    succeed('volume', 'rm', 'srv')
  })

  it('leave binds as they are, and map or give them away when asked', () => {
    const folder = join(engine.directory, 'bound')
    mkdirSync(folder)
    const owners = (option: string) =>
      succeed(
        'run',
        '--rm',
        ...MAPPED,
        '-u',
        '5:6',
        '-v',
        `${folder}:/b${option}`,
        'busybox',
        'stat',
        '-c',
        '%u:%g',
        '/b',
      )
    expect(owners('')).toBe('65534:65534')
    expect(owners(':idmap')).toBe('0:0')
    expect(owners(':U')).toBe('5:6')
    expect(lstatSync(folder)).toMatchObject({ uid: FIRST + 5, gid: FIRST + 6 })
    expect(
      succeed(
        'run',
        '--rm',
        ...MAPPED,
        '--mount',
        'type=image,src=busybox,dst=/i',
        'busybox',
        'stat',
        '-c',
        '%u',
        '/i/bin',
      ),
    ).toBe('0')
  })

  it('are seen through by cp, whether the container runs or not', () => {
    const file = join(engine.directory, 'file')
    writeFileSync(file, 'z')
    for (const name of ['running', 'stopped']) {
      if (name === 'stopped') succeed('stop', '-t', '0', 'own')
      succeed('cp', file, `own:/tmp/${name}`)
      succeed('cp', '-a', 'own:/tmp/seven', `${file}-${name}`)
      expect(lstatSync(`${file}-${name}`)).toMatchObject({ uid: 7, gid: 8 })
    }
    succeed('start', 'own')
    const owners = succeed(
      'exec',
      'own',
      'stat',
      '-c',
      '%u:%g',
      '/tmp/running',
      '/tmp/stopped',
      '/tmp/seven',
    )
    expect(owners.split('\n')).toEqual(['0:0', '0:0', '7:8'])
  })

  it('are shared by containers that say so', () => {
    const namespace = ['readlink', '/proc/self/ns/user']
    expect(succeed('run', '--rm', '--userns', 'container:own', 'busybox', ...namespace)).toBe(
      succeed('exec', 'own', ...namespace),
    )
  })

  it('take free ranges of /etc/subuid by themselves', () => {
    const ranges = join(engine.directory, 'ranges')
    writeFileSync(ranges, 'somebody:100000:65536\ncontainers:5000000:5000\n')
    const run = (...words: string[]) =>
      spawnSync(
        'unshare',
        [
          '-m',
          'sh',
          '-c',
          `mount --bind ${ranges} /etc/subuid && mount --bind ${ranges} /etc/subgid && exec "$@"`,
          'sh',
          ...engine.commandLine(['run', ...words]),
        ],
        { encoding: 'utf8' },
      )
    const map = ['busybox', 'cat', '/proc/self/uid_map']
    const words = (text: string) => text.trim().split(/\s+/).join(' ')
    expect(run('-d', '--name', 'auto', '--userns', 'auto', 'busybox', 'sleep', '1000').stderr).toBe(
      '',
    )
    expect(words(succeed('exec', 'auto', 'cat', '/proc/self/uid_map'))).toBe('0 5000000 1024')
    expect(words(run('--rm', '--userns', 'auto:size=2000', ...map).stdout)).toBe('0 5001024 2000')
    expect(words(run('--rm', '--subuidname', 'somebody', ...map).stdout)).toBe('0 100000 65536')
    expect(run('--rm', '--userns', 'auto:size=4000', ...map).stderr).toMatch(
      /^tsrun: cannot make a user namespace: no 4000 ids in a row are free .*; hint: remove containers/,
    )
    succeed('rm', '-f', 'auto')
    expect(run('--rm', '--subuidname', 'nobody-has', ...map).stderr).toMatch(
      /gives no ids to "nobody-has"; hint: echo nobody-has:/,
    )
  })

  it('are refused with the reason', () => {
    expect(refusal('--userns', 'private')).toMatch(/it needs --uidmap or --subuidname/)
    expect(refusal('--userns', 'keep-id')).toMatch(
      /is for users without root.*hint: use --userns auto/,
    )
    expect(refusal('--userns', 'auto', ...MAPPED)).toMatch(/--uidmap, .* say it too/)
    expect(refusal('--uidmap', '0:x:1')).toMatch(/id-in-the-container:id-on-the-host:how-many/)
    expect(refusal('--uidmap', '0:1:0')).toMatch(/it maps no id/)
    expect(refusal('--uidmap', '0:4294967290:100')).toMatch(/the last id is 4294967294/)
    expect(refusal('--uidmap', '0:1000:10', '--uidmap', '5:2000:10')).toMatch(
      /no two ranges may overlap/,
    )
    expect(refusal('-v', 'vol:/v:idmap')).toMatch(/no user namespace whose ids/)
    expect(refusal(...MAPPED, '-v', '/tmp:/v:O')).toMatch(/cannot use O for the mount on "\/v"/)
    expect(engine.run(['ps', '-aq']).stdout.trim().split('\n')).toHaveLength(1)
  })
})
