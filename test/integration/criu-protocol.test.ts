/** What tsrun says to criu and how it takes the answers, with a criu that follows a script. */
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { pipePair } from '../../src/native/pass-descriptors.ts'
import { encodeMessage, type Message, type Schema } from '../../src/util/protobuf.ts'
import { scriptCriu } from '../support/criu.ts'
import { makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle, withProcess } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'

const DUMPED_ID = uniqueId('c')
const RESTORED_ID = uniqueId('r')

let bundle: Bundle
let runtime: Runtime
let images: string

beforeEach(() => {
  bundle = makeBundle()
  runtime = makeRuntime()
  images = join(bundle.directory, 'images')
  bundle.command('sleep', '1000')
  runtime.succeed(['run', '-d', '--bundle', bundle.directory, DUMPED_ID], { stdio: 'ignore' })
})
afterEach(() => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
})

const RESPONSE: Schema = {
  type: { number: 1, type: 'int32' },
  success: { number: 2, type: 'bool' },
  notify: {
    number: 5,
    type: { script: { number: 1, type: 'string' }, pid: { number: 2, type: 'int32' } },
  },
  errno: { number: 7, type: 'int32' },
  features: {
    number: 8,
    type: { track: { number: 1, type: 'bool' }, lazy: { number: 2, type: 'bool' } },
  },
  message: { number: 9, type: 'string' },
  version: {
    number: 10,
    type: { major: { number: 1, type: 'int32' }, minor: { number: 2, type: 'int32' } },
  },
}
const say = (message: Message): string => encodeMessage(RESPONSE, message).toString('hex')
const version = (major: number, minor: number): string =>
  say({ type: 10, success: true, version: { major, minor } })
const DUMPED = say({ type: 1, success: true })

const checkpoint = (answers: readonly string[], ...flags: readonly string[]) => {
  const criu = scriptCriu(bundle.directory, answers)
  const result = runtime.run([
    '--criu',
    criu.path,
    'checkpoint',
    '--image-path',
    images,
    ...flags,
    DUMPED_ID,
  ])
  return { result, requests: criu.requests() }
}

describe('checkpoint', () => {
  it('asks for the version, then for the dump, and deletes the container', () => {
    const notified = say({ type: 6, success: true, notify: { script: 'post-dump', pid: 1 } })
    const { result, requests } = checkpoint([version(3, 17), notified, DUMPED])
    expect(result).toMatchObject({ status: 0, stderr: '' })
    expect(requests[0]?.toString('hex')).toBe('080a2001')
    expect(requests[2]?.toString('hex')).toBe('08061801')
    const dump = requests[1]?.toString('latin1') ?? ''
    expect(dump.slice(0, 2)).toBe('\x08\x01')
    // Kernels differ in what of it they have.
    const masked = ['/proc/kcore', '/proc/keys', '/proc/timer_list'].filter((path) =>
      existsSync(path),
    )
    for (const text of [bundle.rootfs, 'dump.log', '/dev/null', ...masked])
      expect(dump).toContain(text)
    expect(runtime.run(['state', DUMPED_ID]).status).toBe(1)
    expect(JSON.parse(readFileSync(join(images, 'descriptors.json'), 'utf8'))).toEqual([
      '/dev/null',
      '/dev/null',
      '/dev/null',
    ])
  })

  it.each([
    ['--tcp-established', '2801'],
    ['--ext-unix-sk', '2001'],
    ['--shell-job', '3801'],
    ['--file-locks', '4001'],
    ['--link-remap', '900101'],
    ['--auto-dedup', '800101'],
    ['--tcp-skip-in-flight', 'f00201'],
    ['--leave-running', '1801'],
    ['--manage-cgroups-mode=ignore', '900200'],
    ['--manage-cgroups-mode=strict', '900205'],
    ['--page-server=127.0.0.1:9', '5a0d0a093132372e302e302e311009'],
  ])('%s goes into the request', (flag, bytes) => {
    const { result, requests } = checkpoint([version(3, 17), DUMPED], flag)
    expect(result.status).toBe(0)
    expect(requests[1]?.toString('hex')).toContain(bytes)
  })

  it('writes to the status descriptor when lazy pages are ready', () => {
    const features = say({ type: 9, success: true, features: { lazy: true } })
    const ready = say({ type: 6, success: true, notify: { script: 'status-ready' } })
    const criu = scriptCriu(bundle.directory, [version(3, 17), features, ready, DUMPED])
    const [reader, writer] = pipePair()
    const flags = ['--lazy-pages', '--status-fd', '3', '--image-path', images]
    const result = runtime.run(['--criu', criu.path, 'checkpoint', ...flags, DUMPED_ID], {
      stdio: ['ignore', 'pipe', 'pipe', writer.fd],
    })
    writer.close()
    expect(result.status).toBe(0)
    expect(readFileSync(reader.fd)).toEqual(Buffer.from([0]))
    closeSync(reader.release())
  })

  it('refuses a status descriptor that cannot be written', () => {
    const { result } = checkpoint([], '--lazy-pages', '--status-fd', '77')
    expect(result.status).toBe(1)
    expect(result.stderr).toContain('invalid --status-fd argument 77')
    const readable = openSync('/dev/null', 'r')
    const flags = ['--lazy-pages', '--status-fd', '3', '--image-path', images, DUMPED_ID]
    const refused = runtime.run(['--criu', '/bin/true', 'checkpoint', ...flags], {
      stdio: ['ignore', 'pipe', 'pipe', readable],
    })
    closeSync(readable)
    expect(refused.stderr).toContain('invalid --status-fd argument 3')
  })

  it.each([
    ['an old criu', [version(3, 15)], [], 'criu is too old: 3.15.0'],
    [
      'one without a feature',
      [version(3, 17), say({ type: 9, success: true, features: { track: false } })],
      ['--pre-dump'],
      'it lacks memory tracking',
    ],
    [
      'one that fails',
      [version(3, 17), say({ type: 1, success: false, errno: 13, message: 'no way' })],
      [],
      'criu failed to dump: EACCES (no way)',
    ],
    ['one that ends', [version(3, 17)], [], 'criu ended before it answered'],
    ['one that never begins', [], [], 'criu ended before it answered'],
    ['nonsense', [version(3, 17), 'ffffffff'], [], 'cannot understand criu'],
    ['an unknown answer', [version(3, 17), '08631001'], [], 'a response of type 99'],
  ])('leaves the container running after %s', (_what, answers, flags, text) => {
    const { result } = checkpoint(answers, ...flags)
    expect(result.status).toBe(1)
    expect(result.stderr).toContain(`cannot checkpoint container "${DUMPED_ID}"`)
    expect(result.stderr).toContain(text)
    expect(runtime.state(DUMPED_ID).status).toBe('running')
  })

  it('quotes the log of this attempt', () => {
    mkdirSync(images)
    writeFileSync(join(images, 'dump.log'), '(00.1) Error (criu/x.c:1): it cannot be\n')
    const { result } = checkpoint([version(3, 17), say({ type: 1, success: false })])
    expect(result.stderr).toContain('criu failed: it cannot be')
    expect(result.stderr).toContain(join(images, 'dump.log'))
  })

  it.each([
    [['--empty-ns', 'pid'], 'namespace "pid" is not supported'],
    [['--manage-cgroups-mode', 'x'], 'invalid manage-cgroups-mode value'],
    [['--page-server', 'x'], 'Use --page-server ADDRESS:PORT'],
    [['--parent-path', '/p'], '--parent-path must be relative'],
    [['--parent-path', 'p'], 'invalid --parent-path'],
  ])('refuses %j', (flags, text) => {
    const { result } = checkpoint([version(3, 17), DUMPED], ...flags)
    expect(result.status).toBe(1)
    expect(result.stderr).toContain(text)
    expect(runtime.state(DUMPED_ID).status).toBe('running')
  })

  it('says that criu is not there', () => {
    const env = { PATH: join(bundle.directory, 'empty') }
    const result = runtime.run(['checkpoint', '--image-path', images, DUMPED_ID], { env })
    expect(result.status).toBe(1)
    expect(result.stderr).toContain('cannot find criu')
    expect(result.stderr).toContain('install criu 3.16 or newer')
    expect(existsSync(images)).toBe(false)
  })
})

describe('restore', () => {
  const restore = (answers: readonly string[], ...flags: readonly string[]) => {
    mkdirSync(images, { recursive: true })
    writeFileSync(join(images, 'descriptors.json'), '["pipe:[7]","/dev/null","pipe:[8]"]')
    const criu = scriptCriu(bundle.directory, answers)
    const command = ['restore', '-d', '--bundle', bundle.directory, '--image-path', images]
    const result = runtime.run(['--criu', criu.path, ...command, ...flags, RESTORED_ID])
    return { result, requests: criu.requests() }
  }

  it('names the pipes, the mounts and the cgroup, and leaves nothing of a failure', () => {
    const { result, requests } = restore(
      [version(4, 1), say({ type: 2, success: false, errno: 17 })],
      ...['--lsm-profile', 'apparmor:x', '--lsm-mount-context', 'ctx'],
    )
    expect(result.status).toBe(1)
    expect(result.stderr).toContain(`cannot restore container "${RESTORED_ID}"`)
    const request = requests[1]?.toString('latin1') ?? ''
    const texts = [
      'pipe:[7]',
      'pipe:[8]',
      '/dev/null',
      `/tsrun/${RESTORED_ID}`,
      'restore.log',
      'apparmor:x',
      'ctx',
    ]
    for (const text of [...texts, join(runtime.root, RESTORED_ID)]) expect(request).toContain(text)
    expect(runtime.run(['state', RESTORED_ID]).stderr).toContain('does not exist')
    expect(existsSync(join(runtime.root, RESTORED_ID))).toBe(false)
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(runtime.root)
  })

  it('refuses an image directory with other descriptors', () => {
    mkdirSync(images)
    for (const text of ['{}', '[1]', '["a","b","c","d"]', 'x']) {
      writeFileSync(join(images, 'descriptors.json'), text)
      const result = runtime.run([
        'restore',
        '-d',
        '--bundle',
        bundle.directory,
        '--image-path',
        images,
        RESTORED_ID,
      ])
      expect(result.status, text).toBe(1)
      expect(result.stderr, text).toMatch(/descriptors\.json|cannot find criu/)
    }
  })

  it('refuses what criu cannot do, and a taken id', () => {
    expect(restore([], '--no-pivot').result.stderr).toContain('unsupported: restore --no-pivot')
    const criu = scriptCriu(bundle.directory, [])
    const flags = ['-d', '--bundle', bundle.directory, '--image-path', images]
    const taken = runtime.run(['--criu', criu.path, 'restore', ...flags, DUMPED_ID])
    expect(taken.stderr).toContain('container with id exists: c')
    expect(runtime.state(DUMPED_ID).status).toBe('running')
    bundle.configure((config) => withProcess(config, { terminal: true }))
    expect(restore([]).result.stderr).toContain('cannot allocate tty')
  })
})
