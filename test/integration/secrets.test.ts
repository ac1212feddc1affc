/** Secrets: kept for root alone, given to containers as files, and shown by nothing else. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TestEngine } from '../support/engine.ts'
import { missing } from '../support/requires.ts'

describe.skipIf(missing('root', 'cgroup2'))('secrets', () => {
  const engine = new TestEngine()
  const failure = (...args: string[]) => {
    const { status, stderr } = engine.run(args)
    return status === 0 ? 'it succeeded' : stderr.trim()
  }
  beforeAll(() => engine.loadBusybox())
  afterAll(async () => {
    expect(await engine.settled()).toEqual([])
    engine[Symbol.dispose]()
  })

  it('are files of a container, with the owner and mode that were asked for', () => {
    const input = 'p\u00e4ss word\n'
    const id = engine.succeed(['secret', 'create', '-l', 'a=b', 'db', '-'], { input })
    expect(id).toMatch(/^[0-9a-f]{25}$/)
    const run = [
      'run',
      '--rm',
      '--secret',
      'db',
      '--secret',
      `${id.slice(0, 8)},target=/etc/key,uid=5,gid=6,mode=400`,
    ]
    const look = 'cat /run/secrets/db /etc/key; stat -c "%a %u:%g" /run/secrets/db /etc/key'
    expect(engine.succeed([...run, 'busybox', 'sh', '-c', look])).toBe(
      `${input}${input}444 0:0\n400 5:6`,
    )
    expect(failure(...run, 'busybox', 'sh', '-c', 'echo x >/run/secrets/db')).toContain('Read-only')
    const ids = ['--uidmap', '0:200000:1000']
    expect(engine.succeed([...run, ...ids, 'busybox', 'sh', '-c', look])).toContain('400 5:6')
  })

  it('stay with a container, and out of images and inspect', () => {
    engine.succeed(['secret', 'create', 'gone', '-'], { input: 'only-here' })
    engine.succeed([
      'create',
      '--name',
      'box',
      '--secret',
      'gone',
      'busybox',
      'cat',
      '/run/secrets/gone',
    ])
    engine.succeed(['secret', 'rm', 'gone'])
    expect(engine.succeed(['start', '-a', 'box'])).toBe('only-here')
    expect(engine.succeed(['start', '-a', 'box'])).toBe('only-here')
    expect(engine.succeed(['inspect', 'box'])).not.toContain('only-here')
    engine.succeed(['commit', 'box', 'copy'])
    expect(engine.succeed(['export', 'box'])).not.toContain('only-here')
    expect(engine.succeed(['run', '--rm', 'copy', 'sh', '-c', 'cat /run/secrets/gone; true'])).toBe(
      '',
    )
    const { Id } = JSON.parse(engine.succeed(['inspect', 'box']))[0]
    const copy = join(engine.dataRoot, 'containers', Id, 'secret-0')
    expect(readFileSync(copy, 'utf8')).toBe('only-here')
    engine.succeed(['rm', 'box'])
    expect(existsSync(copy)).toBe(false)
  })

  it('are listed, inspected, replaced and removed', () => {
    writeFileSync(join(engine.directory, 'key'), 'one')
    engine.succeed(['secret', 'create', 'key', join(engine.directory, 'key')])
    expect(failure('secret', 'create', 'key', join(engine.directory, 'key'))).toBe(
      'tsrun: cannot create secret "key": there is one of this name; hint: choose another name, or use --replace',
    )
    const env = { ...process.env, NEW: 'two' }
    engine.succeed(['secret', 'create', '--replace', '--env', 'key', 'NEW'], { env })
    expect(
      engine.succeed(['run', '--rm', '--secret', 'key', 'busybox', 'cat', '/run/secrets/key']),
    ).toBe('two')
    expect(engine.succeed(['secret', 'ls'])).toMatch(/^ID +NAME +DRIVER/)
    expect(engine.succeed(['secret', 'ls', '--format', '{{.Name}}'])).toBe('db\nkey')
    const shown = engine.succeed(['secret', 'inspect', 'db'])
    expect(JSON.parse(shown)).toMatchObject([{ Spec: { Name: 'db', Labels: { a: 'b' } } }])
    expect(shown).not.toContain(Buffer.from('p\u00e4ss').toString('base64').slice(0, 6))
    const folder = join(engine.dataRoot, 'secrets')
    expect([statSync(folder).mode & 0o777, statSync(join(folder, 'db.json')).mode & 0o777]).toEqual(
      [0o700, 0o600],
    )
    expect(engine.run(['secret', 'exists', 'db']).status).toBe(0)
    expect(engine.succeed(['secret', 'rm', 'db', 'key'])).toBe('db\nkey')
    expect(engine.run(['secret', 'exists', 'db']).status).toBe(1)
  })

  it('that cannot be are refused with one sentence', () => {
    const create = (...args: string[]) => failure('secret', 'create', ...args)
    expect(create('../up', '/dev/null')).toContain('it is no name')
    expect(create('empty', '/dev/null')).toContain('it has 0 bytes')
    expect(create('no', '/nowhere')).toMatch(/cannot create secret "no": .*\/nowhere.*hint/)
    expect(create('--env', 'no', 'NOT_SET_AT_ALL')).toContain('NOT_SET_AT_ALL is not set')
    expect(failure('secret', 'rm', 'nosuch')).toContain('no such secret: nosuch; hint')
    const run = (text: string) => failure('run', '--rm', '--secret', text, 'busybox', 'true')
    expect(run('nosuch')).toContain('no such secret: nosuch; hint')
    expect(run('x,type=env')).toContain('only type=mount')
    expect(run('x,mode=9')).toContain('"9" is no number')
    expect(run('x,colour=red')).toContain('"colour=red" is none of')
    expect(run('x,target=/a/../../b')).toContain('no such secret: x')
  })
})
