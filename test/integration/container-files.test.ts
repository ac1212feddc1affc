/** cp, diff, export, commit: the files of a container, whatever it makes of them meanwhile. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { TestEngine } from '../support/engine.ts'
import { missing } from '../support/requires.ts'

const HUGE = 64 * 1024 ** 3

describe.skipIf(missing('root', 'cgroup2'))('the files of a container', () => {
  const engine = new TestEngine()
  const work = join(engine.directory, 'work')
  const at = (...parts: string[]) => join(work, ...parts)
  const succeed = (...args: string[]) => engine.succeed(args)
  const inside = (script: string) => succeed('exec', 'runs', 'sh', '-c', script)
  const seconds = (path: string) => Math.floor(lstatSync(at(path)).mtimeMs / 1000)
  const names = (tar: string | Buffer) =>
    spawnSync('tar', ['-tf', '-'], { input: tar, encoding: 'utf8' }).stdout.trim().split('\n')

  beforeAll(async () => {
    await engine.loadBusybox()
    mkdirSync(at('volume'), { recursive: true })
    succeed('run', '-d', '--name', 'runs', 'busybox', 'sleep', '10000')
    succeed('create', '--name', 'waits', '-v', `${at('volume')}:/data`, 'busybox', 'true')
  })
  beforeEach(() => {
    rmSync(at('out'), { recursive: true, force: true })
    rmSync(at('src'), { recursive: true, force: true })
    mkdirSync(at('out'))
    mkdirSync(at('src/sub'), { recursive: true })
    writeFileSync(at('src/a'), 'one')
    linkSync(at('src/a'), at('src/twin'))
    symlinkSync('a', at('src/link'))
    writeFileSync(at('src/sub/b'), 'two')
    chmodSync(at('src/sub/b'), 0o751)
  })
  afterAll(async () => {
    succeed('rm', '-f', 'runs', 'waits')
    expect(await engine.settled()).toEqual([])
    engine[Symbol.dispose]()
  })

  it.each(['runs', 'waits'])('cp takes a tree there and back: a container that %s', (name) => {
    succeed('cp', at('src'), `${name}:/tree`)
    succeed('cp', `${name}:/tree`, at('out'))
    expect(readFileSync(at('out/tree/sub/b'), 'utf8')).toBe('two')
    expect(statSync(at('out/tree/sub/b')).mode & 0o777).toBe(0o751)
    expect(readlinkSync(at('out/tree/link'))).toBe('a')
    expect(statSync(at('out/tree/a')).ino).toBe(statSync(at('out/tree/twin')).ino)
    expect(seconds('out/tree/a')).toBe(seconds('src/a'))
    // Again: now the folder is there, and gets the tree inside it.
    succeed('cp', at('src'), `${name}:/tree`)
    succeed('cp', `${name}:/tree/src/a`, at('out/again'))
    expect(readFileSync(at('out/again'), 'utf8')).toBe('one')
  })

  it('cp knows a folder from what is in it, and says what does not go', () => {
    succeed('cp', `${at('src')}/.`, 'runs:/tmp')
    expect(inside('cat /tmp/sub/b')).toBe('two')
    succeed('cp', at('src/a'), 'runs:/tmp/named')
    expect(inside('cat /tmp/named')).toBe('one')
    for (const [from, to, text] of [
      [at('src/a'), 'runs:/nothing/', 'the directory does not exist'],
      [at('src/a'), 'runs:/nothing/x', 'could not find the file /nothing in container runs'],
      [at('src'), 'runs:/tmp/named', 'a directory cannot replace a file'],
      ['runs:/nothing', at('out'), 'could not find the file /nothing in container runs'],
      [at('src/a/'), 'runs:/tmp', 'could not find the file'],
      ['runs:/tmp', 'waits:/tmp', 'copying between containers is not supported'],
      [at('src'), at('out'), 'must specify at least one container source'],
      ['gone:/a', at('out'), 'no such container: gone'],
    ] as const)
      expect(engine.run(['cp', from, to])).toMatchObject({
        status: 125,
        stderr: expect.stringContaining(text),
      })
  })

  it('cp -L follows a link of the source; else the link goes', () => {
    succeed('cp', '-L', at('src/link'), 'runs:/tmp/followed')
    succeed('cp', at('src/link'), 'runs:/tmp/kept')
    expect(inside('cat /tmp/followed; readlink /tmp/kept')).toBe('onea')
  })

  it('cp writes through a link at the end of the target, and into volumes', () => {
    inside('echo old >/target; ln -sf /target /by-link')
    succeed('cp', at('src/a'), 'runs:/by-link')
    expect(inside('cat /target; readlink /by-link')).toBe('one/target')
    succeed('cp', at('src/a'), 'waits:/data/kept')
    expect(readFileSync(at('volume/kept'), 'utf8')).toBe('one')
  })

  it('cp - is a tar in both directions', () => {
    const tar = spawnSync('tar', ['-C', at('src'), '-czf', '-', 'sub']).stdout
    engine.succeed(['cp', '-', 'runs:/root'], { input: tar })
    expect(inside('cat /root/sub/b')).toBe('two')
    expect(names(succeed('cp', 'runs:/root/sub', '-'))).toEqual(['sub/', 'sub/b'])
    expect(names(succeed('cp', 'runs:/root/sub/.', '-'))).toEqual(['./', './b'])
    expect(engine.run(['cp', '-', 'runs:/root/sub/b'], { input: tar }).stderr).toContain(
      'must be a directory',
    )
  })

  it('cp gives nothing power on the host unless asked: no set-user-ID, no devices, our owner', () => {
    inside('mkdir /odd; cd /odd; echo x >s; chown 7:8 s; chmod 4755 s; mknod n c 1 3; mkfifo f')
    const { stderr } = engine.run(['cp', 'runs:/odd', at('out')])
    expect(stderr).toBe('tsrun: warning: "odd/n" was left out: it is a device node\n')
    const { mode, uid, gid } = statSync(at('out/odd/s'))
    expect([mode & 0o7777, uid, gid]).toEqual([0o755, 0, 0])
    expect(readdirSync(at('out/odd'))).toEqual(['f', 's'])
    succeed('cp', '-a', 'runs:/odd', at('out/all'))
    const kept = statSync(at('out/all/s'))
    expect([kept.mode & 0o7777, kept.uid, kept.gid]).toEqual([0o4755, 7, 8])
    expect(lstatSync(at('out/all/n')).isCharacterDevice()).toBe(true)
  })

  it('a huge file keeps its holes, a name its newline', () => {
    inside(`mkdir /big; cd /big; truncate -s ${HUGE} holes; echo end >>holes; echo x >'a\nb'`)
    succeed('cp', 'runs:/big', at('out'))
    const { size, blocks } = statSync(at('out/big/holes'))
    expect([size, blocks < 1000]).toEqual([HUGE + 4, true])
    expect(readFileSync(at('out/big/a\nb'), 'utf8')).toBe('x\n')
    truncateSync(at('out/big/holes'), 0)
    expect(succeed('cp', 'runs:/big', '-').length).toBeLessThan(100_000)
    inside('rm -r /big')
  })

  it('diff, export and commit agree on what was added, changed and removed', () => {
    succeed('run', '--name', 'changed', 'busybox', 'sh', '-c', CHANGES)
    expect(succeed('diff', 'changed').split('\n')).toEqual([
      'C /etc',
      'D /etc/group',
      'D /home',
      'C /root',
      'A /two\\nlines',
      'C /var',
      'A /var/new',
      'D /var/spool',
      'D /var/www',
    ])
    succeed('export', '-o', at('out/tar'), 'changed')
    const exported = names(readFileSync(at('out/tar')))
    expect(exported).toEqual(expect.arrayContaining(['var/new', 'etc/passwd', 'bin/busybox']))
    for (const gone of ['etc/group', 'home/', 'var/www/']) expect(exported).not.toContain(gone)
    const change = ['-c', 'CMD ["cat", "/var/new"]', '-m', 'why', '-a', 'who']
    const id = succeed('commit', ...change, 'changed', 'made:1')
    expect(id).toMatch(/^sha256:[0-9a-f]{64}$/)
    expect(succeed('run', '--rm', 'made:1')).toBe('new')
    const seen = succeed('run', '--rm', 'made:1', 'sh', '-c', 'ls /var /; ls /etc/group 2>&1; true')
    expect(seen).not.toMatch(/www|spool|home/)
    expect(seen).toContain('/etc/group: No such file')
    expect(succeed('image', 'inspect', '-f', '{{.Author}} {{.Comment}}', 'made:1')).toBe('who why')
    expect(engine.run(['commit', '-c', 'RUN x', 'changed']).stderr).toContain('cannot use --change')
    succeed('rm', 'changed')
    succeed('rmi', 'made:1')
  })

  it('commit makes no image of a name that would remove files in one', () => {
    succeed('run', '--name', 'marks', 'busybox', 'touch', '/etc/.wh.passwd')
    expect(engine.run(['commit', 'marks', 'made:2']).stderr).toMatch(
      /the file "etc\/\.wh\.passwd" has a name that means "removed".*hint/,
    )
    expect(succeed('images', '-q', 'made:2')).toBe('')
    succeed('rm', 'marks')
  })

  it('commit freezes a running container meanwhile and lets it go on', () => {
    succeed('commit', 'runs', 'frozen')
    expect(succeed('inspect', '-f', '{{.State.Status}}', 'runs')).toBe('running')
    succeed('rmi', 'frozen')
  })

  // Inside, the folder /race/d is by turns a folder and a link to a folder of the host.
  it('a container that swaps links meanwhile leads no copy out of it', async () => {
    mkdirSync(at('host'))
    writeFileSync(at('host/secret'), 'secret')
    chmodSync(at('host'), 0o701)
    mkdirSync(at('src/d'))
    writeFileSync(at('src/d/planted'), 'planted')
    inside(`mkdir -p /race; echo inside >/race/mine`)
    const swap = `cd /race; while :; do mkdir d; echo inside >d/secret; rm -rf d; ln -s ${at('host')} d; rm -f d; ln -s ../../../../../..${at('host')} d; rm -f d; done`
    succeed('exec', '-d', 'runs', 'sh', '-c', `(${swap}) 2>/dev/null`)
    for (let round = 0; round < 4; round++) {
      const out = at('out', String(round))
      engine.run(['cp', `${at('src')}/.`, 'runs:/race'])
      engine.run(['cp', at('src/a'), 'runs:/race/d/secret'])
      engine.run(['cp', 'runs:/race', out])
      engine.run(['cp', '-L', 'runs:/race/d/secret', `${out}.file`])
    }
    expect(readdirSync(at('host'))).toEqual(['secret'])
    expect(readFileSync(at('host/secret'), 'utf8')).toBe('secret')
    expect(statSync(at('host')).mode & 0o777).toBe(0o701)
    expect(readdirSync(at('out')).length).toBeGreaterThan(0)
    const copied = spawnSync('grep', ['-rl', '^secret', at('out')], { encoding: 'utf8' }).stdout
    expect(copied).toBe('')
    expect(existsSync(at('out/0/mine'))).toBe(true)
  })
})

const CHANGES = [
  'rm -r /home /etc/group /var',
  'mkdir /var',
  'echo new >/var/new',
  'chmod 750 /root',
  "touch 'two\nlines'",
  'sed -i s/root/toor/ /etc/nothing',
  'touch /etc/passing',
  'rm /etc/passing',
].join('; ')
