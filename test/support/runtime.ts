/** An OCI runtime command under test: tsrun, or a peer as the oracle of the same black-box cases. */
import { type ChildProcess, type StdioOptions, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { canCrunMakeCgroups } from './can-crun-make-cgroups.ts'
import { inCgroup2 } from './cgroup2.ts'
import { PATIENCE } from './patience.ts'
import { until } from './until.ts'

export interface CommandResult {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
  /** Lines of --log. */
  readonly log: readonly string[]
}

export interface RunOptions {
  readonly cwd?: string
  readonly input?: string
  readonly env?: NodeJS.ProcessEnv
  readonly stdio?: StdioOptions
  /** In a process group of its own. */
  readonly detached?: boolean
  /** Shell commands around the runtime, in a mount namespace that is theirs. */
  readonly mountNamespace?: { readonly before?: string; readonly after?: string }
}

export interface Runtime extends Disposable {
  readonly name: RuntimeName
  readonly root: string
  /** Runs `<runtime> --root … --log … --log-format json <args>`. */
  run(args: readonly string[], options?: RunOptions): CommandResult
  /** As {@link run}, and throws unless it succeeds; the result is standard output. */
  succeed(args: readonly string[], options?: RunOptions): string
  /** Starts the same without waiting. */
  start(args: readonly string[], options?: RunOptions): ChildProcess
  /** The words of {@link run}, for a wrapper that starts them elsewhere. */
  commandLine(args: readonly string[]): readonly string[]
  /** The parsed `state` of a container. */
  state(id: string): Record<string, unknown>
  /** Waits until `state` says `status`. */
  waitFor(id: string, status: string): Promise<void>
}

export type RuntimeName = 'tsrun' | 'runc' | 'crun'

const repository = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** The built command; TSRUN_COMMAND names another. */
export const TSRUN = process.env.TSRUN_COMMAND ?? join(repository, 'dist/tsrun')

/** tsrun and the peers that this machine has. */
export function installedRuntimes(): readonly RuntimeName[] {
  const isInstalled = (name: string): boolean => spawnSync(name, ['--version']).status === 0
  return ['tsrun', ...(['runc', 'crun'] as const).filter(isInstalled)]
}

/** A runtime with a root of its own. Dispose removes every container that is left in it. */
export function makeRuntime(name: RuntimeName = 'tsrun'): Runtime {
  const directory = mkdtempSync(join(tmpdir(), `tsrun-test-${name}-`))
  const root = join(directory, 'root')
  const log = join(directory, 'log.json')
  // Peers would take the v1 controllers of a hybrid host; tsrun is to find the cgroup2 mount itself.
  const commandLine = (
    args: readonly string[],
    { mountNamespace }: RunOptions = {},
  ): readonly [string, ...string[]] => {
    const globals = ['--root', root, '--log', log, '--log-format', 'json']
    if (name === 'crun' && !canCrunMakeCgroups()) globals.push('--cgroup-manager', 'disabled')
    const words: [string, ...string[]] = [name === 'tsrun' ? TSRUN : name, ...globals, ...args]
    if (mountNamespace === undefined) return name === 'tsrun' ? words : inCgroup2(words)
    const { before = ':', after = ':' } = mountNamespace
    const around = `set -e\n${before}\nset +e\n"$@"\nstatus=$?\n${after}\nexit $status`
    return inCgroup2(['sh', '-c', around, 'sh', ...words])
  }
  const run = (args: readonly string[], options: RunOptions = {}): CommandResult => {
    rmSync(log, { force: true })
    const [command, ...words] = commandLine(args, options)
    const { status, stdout, stderr } = spawnSync(command, words, {
      encoding: 'utf8',
      timeout: 60_000 * PATIENCE,
      ...options,
    })
    return { status, stdout: stdout ?? '', stderr: stderr ?? '', log: readLines(log) }
  }
  const succeed = (args: readonly string[], options?: RunOptions): string => {
    const { status, stdout, stderr } = run(args, options)
    if (status !== 0) throw new Error(`${name} ${args.join(' ')}: ${status}: ${stderr}`)
    return stdout
  }
  const state = (id: string): Record<string, unknown> => JSON.parse(succeed(['state', id]))
  return {
    name,
    root,
    run,
    commandLine,
    succeed,
    start(args, options = {}) {
      const [command, ...words] = commandLine(args, options)
      return spawn(command, words, { stdio: 'ignore', ...options })
    },
    state,
    async waitFor(id, status) {
      await until(`${id} is ${status}`, () => state(id).status === status)
    },
    [Symbol.dispose]() {
      for (const id of existsSync(root) ? readdirSync(root) : []) run(['delete', '--force', id])
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function readLines(path: string): readonly string[] {
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
}
