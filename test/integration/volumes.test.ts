/** Volumes: made, filled from images, shared, counted and removed; what hostile content and kills do to them. */
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { TestEngine } from '../support/engine.ts'
import { missing } from '../support/requires.ts'
import { until } from '../support/until.ts'

describe.skipIf(missing('root', 'cgroup2'))('volumes', () => {
  const engine = new TestEngine()
  beforeAll(() => engine.loadBusybox())
  afterEach(async () => expect(await engine.settled()).toEqual([]))
  afterAll(() => engine[Symbol.dispose]())

  const run = (...args: string[]) => engine.run(['run', '--rm', ...args])
  const output = (...args: string[]) => engine.succeed(['run', '--rm', ...args])
  const volumes = () => engine.succeed(['volume', 'ls', '-q']).split('\n').filter(Boolean)
  const data = (name: string) => join(engine.dataRoot, 'volumes', name, '_data')
  const removeAll = () => engine.succeed(['volume', 'prune', '--all', '--force'])

  it('keeps a named volume, and lists, inspects and removes it', () => {
    expect(engine.succeed(['volume', 'create', '--label', 'a=b', 'kept'])).toBe('kept')
    expect(engine.succeed(['volume', 'create', '--label', 'a=b', 'kept'])).toBe('kept')
    expect(engine.run(['volume', 'create', '--label', 'a=c', 'kept']).stderr).toContain('"kept"')
    output('-v', 'kept:/data', 'busybox', 'sh', '-c', 'echo hi >/data/f')
    expect(output('-v', 'kept:/data:ro', 'busybox', 'cat', '/data/f')).toBe('hi')
    const readOnly = run('-v', 'kept:/data:ro', 'busybox', 'touch', '/data/g')
    expect(readOnly.stderr).toContain('Read-only')
    const format = '{{.Name}} {{.Mountpoint}} {{.Labels.a}} {{.Driver}} {{.Scope}}'
    expect(engine.succeed(['volume', 'inspect', '-f', format, 'kept'])).toBe(
      `kept ${data('kept')} b local local`,
    )
    expect(engine.succeed(['volume', 'ls', '--filter', 'label=a=b', '-q'])).toBe('kept')
    expect(engine.run(['volume', 'exists', 'kept']).status).toBe(0)
    expect(engine.succeed(['volume', 'rm', 'kept'])).toBe('kept')
    expect(engine.run(['volume', 'exists', 'kept']).status).toBe(1)
    expect(engine.run(['volume', 'rm', 'kept']).stderr).toContain('no such volume: kept')
    expect(engine.run(['volume', 'rm', '-f', 'kept']).status).toBe(0)
  })

  it('counts users, and removes anonymous volumes with their container when asked to', () => {
    const start = (...args: string[]) =>
      engine.succeed(['run', '-d', ...args, 'busybox', 'sleep', '100'])
    start('--name', 'user', '-v', 'used:/data', '-v', '/anonymous')
    const refused = engine.run(['volume', 'rm', 'used'])
    expect([refused.status, refused.stderr]).toEqual([
      1,
      expect.stringContaining('container "user"'),
    ])
    expect(engine.succeed(['volume', 'prune', '-f'])).toContain('0B')
    const mounts = JSON.parse(engine.succeed(['inspect', '-f', '{{json .Mounts}}', 'user']))
    expect(mounts).toMatchObject([
      { Type: 'volume', Name: 'used', Source: data('used'), Destination: '/data', RW: true },
      { Type: 'volume', Destination: '/anonymous', Driver: 'local' },
    ])
    expect(engine.succeed(['ps', '-q', '--filter', 'volume=used'])).not.toBe('')
    start('--name', 'second', '--volumes-from', 'user:ro')
    const touch = ['exec', 'second', 'touch', '/anonymous/x']
    expect(engine.run(touch).stderr).toContain('Read-only')
    engine.succeed(['rm', '-f', '-v', 'user'])
    // The other container has it still.
    expect(volumes()).toHaveLength(2)
    engine.succeed(['rm', '-f', '-v', 'second'])
    expect(volumes()).toEqual(['used'])
    start('--name', 'third', '-v', '/anonymous')
    engine.succeed(['rm', '-f', 'third'])
    expect(volumes()).toHaveLength(2)
    expect(engine.succeed(['volume', 'prune', '-f'])).toContain('Deleted Volumes:')
    expect(volumes()).toEqual(['used'])
    removeAll()
  })

  it('writes the files of a volume as a tar, and takes them back into another', () => {
    const made =
      'cd /data; echo text >f; chmod 4750 f; chown 5:6 f; ln f g; ln -s /etc/passwd l; mkdir d'
    output('-v', 'from:/data', 'busybox', 'sh', '-c', made)
    const file = join(engine.directory, 'from.tar')
    engine.succeed(['volume', 'export', '-o', file, 'from'])
    const noVolume = engine.run(['volume', 'import', 'into', file])
    expect([noVolume.status, noVolume.stderr]).toEqual([125, expect.stringContaining('into')])
    engine.succeed(['volume', 'create', 'into'])
    writeFileSync(join(data('into'), 'kept'), '')
    engine.succeed(['volume', 'import', 'into', '-'], { input: readFileSync(file) })
    const list = ['busybox', 'sh', '-c', 'cd /data; stat -c "%n %a %u:%g %h %N" *; cat g']
    expect(output('-v', 'into:/data', ...list).replace(/^kept .*\n/m, '')).toBe(
      output('-v', 'from:/data', ...list),
    )
    expect(readdirSync(data('into'))).toContain('kept')
    const garbage = engine.run(['volume', 'import', 'into', '-'], { input: 'no tar at all' })
    expect([garbage.status, garbage.stderr]).toEqual([125, expect.stringContaining('tar')])
    const missingFile = engine.run(['volume', 'import', 'into', '/nowhere.tar'])
    expect([missingFile.status, missingFile.stderr]).toEqual([
      125,
      expect.stringContaining('/nowhere.tar'),
    ])
    expect(engine.run(['volume', 'export', 'nosuch']).stderr).toContain('no such volume: nosuch')
    removeAll()
  })

  it('fills an empty volume with what the image has there, once', () => {
    output('-v', 'filled:/etc', 'busybox', 'true')
    expect(readdirSync(data('filled'))).toContain('passwd')
    output('-v', 'filled:/etc', 'busybox', 'rm', '/etc/passwd')
    output('-v', 'filled:/etc', 'busybox', 'true')
    expect(readdirSync(data('filled'))).not.toContain('passwd')
    output('-v', 'empty:/etc:nocopy', 'busybox', 'true')
    expect(readdirSync(data('empty'))).not.toContain('passwd')
    // Mode of the folder itself: /tmp is 1777.
    output('-v', 'tmp:/tmp', 'busybox', 'true')
    expect(lstatSync(data('tmp')).mode & 0o7777).toBe(0o1777)
    removeAll()
  })

  it('mounts parts of volumes and images, never what lies outside', () => {
    engine.succeed(['volume', 'create', 'parts'])
    mkdirSync(join(data('parts'), 'sub'))
    writeFileSync(join(data('parts'), 'sub', 'file'), 'part\n')
    symlinkSync('/etc', join(data('parts'), 'out'))
    symlinkSync('/sub', join(data('parts'), 'in'))
    const part = (subpath: string) => `type=volume,src=parts,dst=/p,volume-subpath=${subpath}`
    expect(output('--mount', part('sub'), 'busybox', 'cat', '/p/file')).toBe('part')
    expect(output('--mount', part('in'), 'busybox', 'cat', '/p/file')).toBe('part')
    expect(output('--mount', part('sub/file'), 'busybox', 'cat', '/p')).toBe('part')
    expect(run('--mount', part('out'), 'busybox', 'ls', '/p').stderr).toContain('"out" of volume')
    const image = 'type=image,src=busybox,dst=/i'
    expect(output('--mount', image, 'busybox', 'ls', '-d', '/i/bin')).toBe('/i/bin')
    expect(output('--mount', `${image},image-subpath=etc`, 'busybox', 'ls', '/i')).toContain(
      'passwd',
    )
    expect(run('--mount', image, 'busybox', 'touch', '/i/x').stderr).toContain('Read-only')
    removeAll()
  })

  it('mounts what the driver options say, for as long as a container needs it', () => {
    const options = ['-o', 'type=tmpfs', '-o', 'device=tmpfs', '-o', 'o=size=1m,uid=7']
    engine.succeed(['volume', 'create', ...options, 'memory'])
    engine.succeed(['run', '-d', '--name', 'first', '-v', 'memory:/m', 'busybox', 'sleep', '100'])
    expect(output('-v', 'memory:/m', 'busybox', 'sh', '-c', 'touch /m/x; stat -c %u /m')).toBe('7')
    expect(engine.succeed(['exec', 'first', 'ls', '/m'])).toBe('x')
    engine.succeed(['rm', '-f', 'first'])
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(data('memory'))
    const folder = join(engine.directory, 'device')
    mkdirSync(folder)
    const bind = ['-o', 'type=none', '-o', `device=${folder}`, '-o', 'o=bind']
    engine.succeed(['volume', 'create', ...bind, 'bound'])
    output('-v', 'bound:/etc', 'busybox', 'touch', '/etc/mine')
    expect(readdirSync(folder)).toEqual(expect.arrayContaining(['mine', 'passwd']))
    expect(engine.run(['volume', 'create', '-d', 'nfs', 'x']).stderr).toContain('"nfs"')
    // A container that is started again finds all of it again.
    const part = 'type=volume,src=bound,dst=/p,volume-subpath=mine'
    const again = ['create', '--name', 'again', '-v', 'memory:/m', '--mount', part, 'busybox']
    engine.succeed([
      ...again,
      'sh',
      '-c',
      'touch /m/$$ && ls -d /m /p && grep -c "/[mp] " /proc/mounts',
    ])
    for (const _ of [1, 2]) expect(engine.succeed(['start', '-a', 'again'])).toBe('/m\n/p\n2')
    engine.succeed(['rm', 'again'])
    removeAll()
    expect(readdirSync(folder)).toContain('mine')
  })

  it("mounts overlays and gives files to the container's user", () => {
    const folder = join(engine.directory, 'below')
    mkdirSync(folder)
    writeFileSync(join(folder, 'file'), 'old\n')
    const script = 'echo new >/o/file; cat /o/file'
    expect(output('-v', `${folder}:/o:O`, 'busybox', 'sh', '-c', script)).toBe('new')
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('old\n')
    symlinkSync('/etc/hostname', join(folder, 'link'))
    const owner = lstatSync('/etc/hostname').uid
    output('-u', '1234', '-v', `${folder}:/u:U`, 'busybox', 'touch', '/u/own')
    expect(lstatSync(join(folder, 'file')).uid).toBe(1234)
    expect(lstatSync('/etc/hostname').uid).toBe(owner)
  })

  it('makes one volume however many ask for it at once', async () => {
    const starts = Array.from({ length: 8 }, (_, i) =>
      engine.start(['run', '--rm', '-v', 'shared:/etc', 'busybox', 'touch', `/etc/from${i}`]),
    )
    const codes = await Promise.all(
      starts.map((child) => new Promise((resolve) => child.on('close', resolve))),
    )
    expect(codes).toEqual(starts.map(() => 0))
    const files = readdirSync(data('shared'))
    expect(files.filter((name) => name.startsWith('from'))).toHaveLength(8)
    expect(files).toContain('passwd')
    removeAll()
  })

  it('leaves nothing half made when it is killed', async () => {
    for (let delay = 0; delay < 12; delay++) {
      const child = engine.start([
        'run',
        '--rm',
        '-v',
        'half:/etc',
        '-v',
        '/bin',
        'busybox',
        'true',
      ])
      const ended = new Promise((resolve) => child.on('close', resolve))
      // Somewhere between the first system call and the end.
      await new Promise((resolve) => setTimeout(resolve, delay * 12))
      child.kill('SIGKILL')
      await ended
    }
    await until(
      () => `the containers have gone: ${engine.leftovers()}`,
      () => engine.run(['ps', '-aq']).stdout === '',
    )
    output('-v', 'half:/etc', 'busybox', 'true')
    expect(volumes()).toEqual(['half'])
    expect(readdirSync(join(engine.dataRoot, 'volumes', 'half')).sort()).toEqual([
      '_data',
      'users',
      'volume.json',
    ])
    expect(readdirSync(data('half'))).toContain('passwd')
    expect(readdirSync(join(engine.dataRoot, 'volume-drafts'))).toEqual([])
    removeAll()
  })
})
