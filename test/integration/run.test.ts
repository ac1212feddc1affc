/** `tsrun run` in the foreground: what a user of docker expects of each option. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { buildBusyboxRootfs } from '../../rootfs-cache/build-busybox-image.mjs'
import { TestEngine } from '../support/engine.ts'
import { missing } from '../support/requires.ts'
import { until } from '../support/until.ts'

describe.skipIf(missing('root', 'cgroup2'))('tsrun run', () => {
  const engine = new TestEngine()
  beforeAll(() => engine.loadBusybox())
  afterEach(async () => expect(await engine.settled()).toEqual([]))
  afterAll(() => engine[Symbol.dispose]())

  const run = (...args: string[]) => engine.run(['run', '--rm', ...args])
  const output = (...args: string[]) => engine.succeed(['run', '--rm', ...args])

  it('passes output, both streams, and the exit code on', () => {
    expect(run('busybox', 'sh', '-c', 'echo out; echo err >&2; exit 7')).toEqual({
      status: 7,
      stdout: 'out\n',
      stderr: 'err\n',
    })
  })

  it('counts a signal as shells do', () => {
    expect(run('--init', 'busybox', 'sh', '-c', 'kill -9 $$').status).toBe(137)
  })

  it('ends with 125, 126 and 127 as podman does', () => {
    const missingImage = run('--pull', 'never', 'nosuchimage')
    expect([missingImage.status, missingImage.stderr]).toEqual([
      125,
      expect.stringContaining('nosuchimage'),
    ])
    expect(run('busybox', '/etc').status).toBe(126)
    expect(run('busybox', 'nosuchcommand').status).toBe(127)
    expect(run('--nosuchflag', 'busybox').status).toBe(125)
    expect(run('--user', 'nosuchuser', 'busybox', 'true').status).toBe(125)
  })

  it('refuses what it does not do by name, and changes nothing', () => {
    for (const [option, value] of [
      ['--network', 'no-such-network'],
      ['--volume', 'na/med:/data'],
      ['--cap-add', 'CAP_NOPE'],
      ['--memory', 'lots'],
      ['--cpus', '0'],
      ['--ulimit', 'nope=1'],
      ['--sysctl', 'kernel.panic=1'],
      ['--env-file', '/nosuchfile'],
      ['--device', '/dev/nosuchdevice'],
      ['--stop-signal', 'SIGNOPE'],
      ['--name', '-bad-'],
    ] as const) {
      const { status, stderr } = run(option, value, 'busybox', 'true')
      expect([option, status, stderr]).toEqual([option, 125, expect.stringContaining(value)])
      expect(stderr.trim().split('\n')).toHaveLength(1)
    }
  })

  it('reads stdin only with -i', () => {
    const options = { input: 'hello\n' }
    expect(engine.run(['run', '--rm', '-i', 'busybox', 'cat'], options).stdout).toBe('hello\n')
    expect(engine.run(['run', '--rm', 'busybox', 'cat'], options).stdout).toBe('')
  })

  it('carries megabytes through stdin and stdout unchanged', () => {
    const input = Buffer.alloc(3_000_000, 'abcdefg\n')
    const { stdout } = engine.run(['run', '--rm', '-i', 'busybox', 'cat'], { input })
    expect(stdout === input.toString()).toBe(true)
  })

  it('merges environment, file and image as docker does', () => {
    const file = join(engine.directory, 'env')
    writeFileSync(file, '# comment\nFILE=1\nBOTH=file\nINHERITED\n')
    const { stdout } = engine.run(
      [
        'run',
        '--rm',
        '--env-file',
        file,
        '-e',
        'BOTH=flag',
        '-e',
        'EMPTY=',
        '-e',
        'OWN',
        'busybox',
        'env',
      ],
      { env: { ...process.env, INHERITED: 'yes', OWN: 'mine' } },
    )
    const variables = stdout.trim().split('\n')
    expect(variables).toEqual(
      expect.arrayContaining([
        'FILE=1',
        'BOTH=flag',
        'EMPTY=',
        'OWN=mine',
        'INHERITED=yes',
        'HOME=/root',
      ]),
    )
  })

  it('runs as the user, in the directory and on the host that are asked for', () => {
    expect(
      output(
        '-u',
        '1000:100',
        '-w',
        '/tmp/new',
        '--hostname',
        'box',
        'busybox',
        'sh',
        '-c',
        'id -u; id -g; pwd; hostname; cat /etc/hostname',
      ),
    ).toBe('1000\n100\n/tmp/new\nbox\nbox')
  })

  it('replaces the entrypoint', () => {
    expect(output('--entrypoint', 'echo', 'busybox', 'a', 'b')).toBe('a b')
  })

  it('mounts volumes, read-only ones and tmpfs', () => {
    const folder = join(engine.directory, 'volume')
    mkdirSync(folder)
    writeFileSync(join(folder, 'file'), 'content')
    expect(
      output('-v', `${folder}:/v`, 'busybox', 'sh', '-c', 'cat /v/file; echo new > /v/new'),
    ).toBe('content')
    expect(readFileSync(join(folder, 'new'), 'utf8')).toBe('new\n')
    expect(run('-v', `${folder}:/v:ro`, 'busybox', 'touch', '/v/x').stderr).toMatch(/Read-only/)
    expect(
      run('--mount', `type=bind,src=${folder},dst=/m,readonly`, 'busybox', 'touch', '/m/x').stderr,
    ).toMatch(/Read-only/)
    expect(
      output('--tmpfs', '/t:size=1m', 'busybox', 'grep', '-c', ' /t tmpfs', '/proc/mounts'),
    ).toBe('1')
    // A relative path is taken from the working directory.
    const relativeFolder = relative(process.cwd(), folder)
    expect(output('-v', `${relativeFolder}:/v`, 'busybox', 'cat', '/v/new')).toBe('new')
  })

  it('keeps the root read-only with --read-only', () => {
    expect(run('--read-only', 'busybox', 'touch', '/x').stderr).toMatch(/Read-only/)
    expect(
      output('--read-only', '--tmpfs', '/run', 'busybox', 'sh', '-c', 'touch /run/x && echo ok'),
    ).toBe('ok')
  })

  it('writes to a layer of its own', () => {
    expect(output('busybox', 'sh', '-c', 'echo x > /etc/passwd; cat /etc/passwd')).toBe('x')
    expect(output('busybox', 'head', '-n1', '/etc/passwd')).toContain('root:')
  })

  it('gives and takes capabilities', () => {
    const bounding = (...args: string[]) =>
      output(...args, 'busybox', 'grep', 'CapBnd', '/proc/self/status').split('\t')[1]
    expect(bounding()).toBe('00000000a80425fb')
    expect(bounding('--cap-drop', 'ALL')).toBe('0000000000000000')
    expect(bounding('--cap-drop', 'ALL', '--cap-add', 'net_bind_service')).toBe('0000000000000400')
  })

  it('sets limits, sysctls and no_new_privs', () => {
    expect(
      output('--ulimit', 'nofile=100:200', 'busybox', 'sh', '-c', 'ulimit -Sn; ulimit -Hn'),
    ).toBe('100\n200')
    expect(
      output('--sysctl', 'kernel.msgmax=1234', 'busybox', 'cat', '/proc/sys/kernel/msgmax'),
    ).toBe('1234')
    expect(
      output(
        '--security-opt',
        'no-new-privileges',
        'busybox',
        'grep',
        'NoNewPrivs',
        '/proc/self/status',
      ),
    ).toMatch(/\t1$/)
  })

  it('filters system calls unless told not to', () => {
    expect(output('busybox', 'grep', '^Seccomp:', '/proc/self/status')).toMatch(/\t2$/)
    expect(
      output(
        '--security-opt',
        'seccomp=unconfined',
        'busybox',
        'grep',
        '^Seccomp:',
        '/proc/self/status',
      ),
    ).toMatch(/\t0$/)
  })

  it("has no network by default, and the host's with --network host", () => {
    expect(output('busybox', 'ls', '/sys/class/net')).toBe('lo')
    const own = readFileSync('/proc/self/net/dev', 'utf8')
    expect(
      output(
        '--network',
        'host',
        'busybox',
        'sh',
        '-c',
        'readlink /proc/self/ns/net; cat /etc/hosts',
      ),
    ).not.toBe('')
    expect(output('--network', 'host', 'busybox', 'cat', '/proc/net/dev').split('\n')).toHaveLength(
      own.trim().split('\n').length,
    )
  })

  it('gives devices, and all of them with --privileged', () => {
    expect(
      output('--device', '/dev/null:/dev/mine:r', 'busybox', 'stat', '-c', '%t:%T', '/dev/mine'),
    ).toBe('1:3')
    expect(output('--privileged', 'busybox', 'grep', 'CapEff', '/proc/self/status')).toMatch(
      /\t000001f/,
    )
  })

  it('runs tsrun-reaper as pid 1 with --init', () => {
    expect(output('--init', 'busybox', 'sh', '-c', 'echo $$; cat /proc/1/comm')).toBe(
      '2\ntsrun-init',
    )
  })

  it('passes signals on to the container', async () => {
    const child = engine.start([
      'run',
      '--rm',
      'busybox',
      'sh',
      '-c',
      'trap "echo got; exit 42" TERM; echo ready; while :; do sleep 0.05; done',
    ])
    let text = ''
    child.stdout?.on('data', (chunk) => {
      text += chunk
    })
    await until('the container is ready', () => text.includes('ready'))
    child.kill('SIGTERM')
    const code = await new Promise((resolve) => child.once('close', resolve))
    expect([code, text]).toEqual([42, 'ready\ngot\n'])
  })

  it('refuses a name that is taken', () => {
    engine.succeed(['run', '-d', '--name', 'taken', 'busybox', 'sleep', '1000'])
    const { status, stderr } = run('--name', 'taken', 'busybox', 'true')
    expect([status, stderr]).toEqual([125, expect.stringMatching(/"taken".*belongs to container/)])
    engine.succeed(['rm', '-f', 'taken'])
  })

  it('shows hosts and resolv.conf of its own', () => {
    expect(output('busybox', 'cat', '/etc/hosts')).toContain('127.0.0.1\tlocalhost')
    expect(output('busybox', 'cat', '/etc/resolv.conf')).toBe(
      readFileSync('/etc/resolv.conf', 'utf8').replace(/\n$/, ''),
    )
  })

  it('runs a root filesystem given by path', () => {
    const root = join(engine.directory, 'root')
    mkdirSync(root)
    buildBusyboxRootfs(root)
    expect(output('--rootfs', root, 'sh', '-c', 'echo hi > /written; cat /written')).toBe('hi')
    expect(readFileSync(join(root, 'written'), 'utf8')).toBe('hi\n')
  })
})
