/**
 * Which descriptors each program gets that tsrun starts, when its caller was careless and left directories of
 * the host open (CVE-2024-21626, and CVE-2016-9962 for processes that wait inside).
 */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { HookKind, RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { listenForConsole } from '../support/console-socket.ts'
import { workingCriu } from '../support/criu.ts'
import { missing } from '../support/requires.ts'
import { makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle, withProcess } from '../support/runtime-bundle.ts'
import { startSeccompAgent } from '../support/seccomp-agent.ts'
import { uniqueId } from '../support/unique-id.ts'

// `self`: a createContainer hook sees the procfs of the host, where its own pid is another's.
const LIST = 'ls -l /proc/self/fd 2>&1; :'
const ID = uniqueId('fds')
const CRIU = workingCriu()

let bundle: Bundle
let runtime: Runtime

beforeEach(() => {
  bundle = makeBundle()
  runtime = makeRuntime()
})
afterEach(() => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
})

/** Runs tsrun from a shell that has `leaks` open. */
function run(
  words: readonly string[],
  { leaks = '3</ 4</ 5</ 7</etc 9</', stdio = 'pipe' as 'pipe' | 'ignore' } = {},
): SpawnSyncReturns<string> {
  return spawnSync('sh', ['-c', `exec ${leaks}; exec "$@"`, 'sh', ...runtime.commandLine(words)], {
    encoding: 'utf8',
    timeout: 60_000,
    stdio: ['ignore', stdio, stdio],
  })
}

function succeed(words: readonly string[], options: Parameters<typeof run>[1] = {}): string {
  const { status, stdout, stderr } = run(words, options)
  expect([words, status, stderr ?? '']).toEqual([words, 0, ''])
  return stdout ?? ''
}

/** `number target` of a listing, without the directory that was listed. */
function descriptorsIn(listing: string): readonly string[] {
  return listing
    .split('\n')
    .flatMap((line) => / (\d+) -> (.*)$/.exec(line)?.slice(1, 3).join(' ') ?? [])
    .filter((entry) => !/ \/proc\/\d+\/fd$/.test(entry))
    .sort()
}
const numbersIn = (listing: string): readonly string[] =>
  descriptorsIn(listing).map((entry) => entry.split(' ')[0] ?? '')

const withScript = (config: RuntimeConfig, script: string): RuntimeConfig =>
  withProcess(config, { args: ['sh', '-c', script] })
/** A folder of the host that the container can write in, as /report. */
const withReport = (config: RuntimeConfig): RuntimeConfig => {
  const source = join(bundle.directory, 'report')
  if (!existsSync(source)) mkdirSync(source)
  const mount = { destination: '/report', type: 'bind', source, options: ['bind'] }
  return { ...config, mounts: [...(config.mounts ?? []), mount] }
}
const reportOf = (name: string): string =>
  readFileSync(join(bundle.directory, 'report', name), 'utf8')

describe.skipIf(missing('root'))('a careless caller', () => {
  it('run(), exec() and a start after create() give the standard streams alone', () => {
    bundle.configure((config) =>
      withScript(withReport(config), `(${LIST}) >/report/init; sleep 100`),
    )
    succeed(['create', '--bundle', bundle.directory, ID], { stdio: 'ignore' })
    succeed(['start', ID], { stdio: 'ignore' })
    expect(numbersIn(succeed(['exec', ID, 'sh', '-c', LIST]))).toEqual(['0', '1', '2'])
    expect(numbersIn(reportOf('init'))).toEqual(['0', '1', '2'])
    succeed(['delete', '--force', ID])
    bundle.configure((config) => withScript(config, LIST))
    expect(numbersIn(succeed(['run', '--bundle', bundle.directory, ID]))).toEqual(['0', '1', '2'])
  })

  it('a waiting init holds no file of the host, and nobody reads its descriptors from inside', () => {
    bundle.configure((config) => withProcess(config, { args: ['sleep', '1000'] }))
    succeed(['create', '--bundle', bundle.directory, ID], { stdio: 'ignore' })
    const pid = runtime.state(ID).pid
    const open = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
    for (const target of open)
      expect(target).toMatch(/^(\/dev\/null|socket:\[\d+\]|anon_inode:.*)$/)
    expect(readlinkSync(`/proc/${pid}/cwd`)).toBe('/')
    // CVE-2016-9962: a process of the same container, with the same rights.
    const look = 'cat /proc/1/comm; cd /proc/1; readlink fd/* exe cwd root; cat maps; ls fd/0/ cwd/'
    const { stdout, stderr } = runtime.run(['exec', ID, 'sh', '-c', look])
    expect(stdout).toBe('tsrun:[init]\n')
    expect(stderr.match(/Permission denied/g)?.length).toBeGreaterThan(1)
  })

  it('hooks of each kind get the standard streams alone', () => {
    const kinds: readonly HookKind[] = [
      'prestart',
      'createRuntime',
      'createContainer',
      'startContainer',
      'poststart',
      'poststop',
    ]
    const script = join(bundle.directory, 'hook')
    writeFileSync(script, `#!/bin/sh\n(${LIST}) > "$1"\n`, { mode: 0o755 })
    const inside = (kind: HookKind): boolean => kind === 'startContainer'
    const hook = (kind: HookKind) =>
      inside(kind)
        ? { path: '/bin/sh', args: ['sh', '-c', `(${LIST}) >/report/${kind}`] }
        : { path: script, args: ['hook', join(bundle.directory, 'report', kind)] }
    bundle.configure((config) => ({
      ...withReport(withProcess(config, { args: ['sleep', '1000'] })),
      hooks: Object.fromEntries(kinds.map((kind) => [kind, [hook(kind)]])),
    }))
    // Not what is handed to the process either.
    succeed(['create', '--preserve-fds', '2', '--bundle', bundle.directory, ID], {
      stdio: 'ignore',
    })
    succeed(['start', ID], { stdio: 'ignore' })
    succeed(['delete', '--force', ID], { stdio: 'ignore' })
    for (const kind of kinds)
      expect([kind, numbersIn(reportOf(kind))]).toEqual([kind, ['0', '1', '2']])
  })

  it('a terminal is all that a process on one gets', () => {
    using sockets = listenForConsole()
    bundle.configure((config) =>
      withProcess(withScript(withReport(config), `(${LIST}) >/report/tty; sleep 100`), {
        terminal: true,
      }),
    )
    const flags = ['--console-socket', sockets.path]
    succeed(['create', ...flags, '--bundle', bundle.directory, ID], { stdio: 'ignore' })
    const { fd } = sockets.acceptDescriptor()
    succeed(['start', ID], { stdio: 'ignore' })
    succeed(['exec', ID, 'sh', '-c', 'until [ -s /report/tty ]; do sleep 0.01; done'])
    closeSync(fd)
    // 1 is the report itself, and 2 goes there too.
    const tty = descriptorsIn(reportOf('tty')).filter((entry) => !/^[12] /.test(entry))
    expect(tty).toEqual(['0 /dev/pts/0'])
    expect(numbersIn(reportOf('tty'))).toEqual(['0', '1', '2'])
  })

  it('--pidfd-socket leaves neither the socket nor the pidfd behind', () => {
    using sockets = listenForConsole()
    bundle.configure((config) =>
      withScript(withReport(config), `(${LIST}) >/report/init; sleep 100`),
    )
    const flags = ['--pidfd-socket', sockets.path]
    succeed(['create', ...flags, '--bundle', bundle.directory, ID], { stdio: 'ignore' })
    const first = sockets.acceptDescriptor()
    expect(readlinkSync(`/proc/self/fd/${first.fd}`)).toMatch(/pidfd/)
    succeed(['start', ID], { stdio: 'ignore' })
    expect(numbersIn(succeed(['exec', ...flags, ID, 'sh', '-c', LIST]))).toEqual(['0', '1', '2'])
    const second = sockets.acceptDescriptor()
    for (const { fd } of [first, second]) closeSync(fd)
    expect(numbersIn(reportOf('init'))).toEqual(['0', '1', '2'])
  })

  it('a process under SCMP_ACT_NOTIFY does not hold its own listener', async () => {
    await using agent = startSeccompAgent('continue')
    bundle.configure((config) =>
      withScript(
        {
          ...withReport(config),
          linux: {
            ...config.linux,
            seccomp: {
              defaultAction: 'SCMP_ACT_ALLOW',
              listenerPath: agent.path,
              syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }],
            },
          },
        },
        `(${LIST}) >/report/init`,
      ),
    )
    // Not run(): the agent of this process must be able to answer.
    const child = runtime.start(['run', '--bundle', bundle.directory, ID])
    const status = await new Promise((resolve) => child.once('close', resolve))
    expect(status).toBe(0)
    expect(numbersIn(reportOf('init'))).toEqual(['0', '1', '2'])
    expect(agent.documents).toHaveLength(1)
  })

  it.skipIf(CRIU === undefined)('a restored container holds what it held', () => {
    const images = join(bundle.directory, 'images')
    const path = `${dirname(CRIU ?? '')}:${process.env.PATH}`
    const before = process.env.PATH
    process.env.PATH = path
    try {
      bundle.configure((config) => withProcess(config, { args: ['sleep', '1000'] }))
      const flags = ['--bundle', bundle.directory, ID]
      succeed(['run', '--detach', ...flags], { stdio: 'ignore' })
      succeed(['checkpoint', '--image-path', images, ID], { stdio: 'ignore' })
      const restored = run(['restore', '--detach', '--image-path', images, ...flags], {
        stdio: 'ignore',
      })
      expect(restored.status).toBe(0)
    } finally {
      process.env.PATH = before
    }
    const pid = runtime.state(ID).pid
    const open = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
    expect(open).toEqual(['/dev/null', '/dev/null', '/dev/null'])
  })

  it.each(['run', 'exec'])('%s --preserve-fds hands over no descriptor of tsrun itself', (verb) => {
    bundle.configure((config) => withScript(config, LIST))
    let words = ['run', '--preserve-fds', '3', '--bundle', bundle.directory, ID]
    if (verb === 'exec') {
      bundle.configure((config) => withProcess(config, { args: ['sleep', '1000'] }))
      succeed(['run', '--detach', '--bundle', bundle.directory, ID], { stdio: 'ignore' })
      words = ['exec', '--preserve-fds', '3', ID, 'sh', '-c', LIST]
    }
    // 4 is free, and so the event loop's or another of tsrun's own.
    const gap = run(words, { leaks: '3</dev/null 5</dev/zero' })
    expect(gap.status).not.toBe(0)
    expect(gap.stdout).toBe('')
    expect(gap.stderr).toContain('cannot preserve descriptor 4 of 3: it is not open')
    const whole = run(words, { leaks: '3</dev/null 4</dev/full 5</dev/zero 6</' })
    const handed = descriptorsIn(whole.stdout).filter((entry) => Number.parseInt(entry, 10) > 2)
    expect(handed).toEqual(['3 /dev/null', '4 /dev/full', '5 /dev/zero'])
  })
})
