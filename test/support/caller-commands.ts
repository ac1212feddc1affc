/** The command of a caller (ctr, podman, docker) as tests run it. */
import { spawn, spawnSync } from 'node:child_process'
import { PATIENCE } from './patience.ts'
import { shellWord } from './shell-word.ts'

export interface CallerResult {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface CallerCommands {
  /** Runs the command with `args` and waits. */
  run(args: readonly string[], input?: string): CallerResult
  /** As {@link run}, throws unless it succeeds; the result is stdout without its last newline. */
  succeed(args: readonly string[], input?: string): string
  /** Runs it without waiting; resolves when it has ended. */
  start(args: readonly string[]): Promise<CallerResult>
  /** Runs it on a pseudo-terminal; the result is all that it printed. */
  onTerminal(args: readonly string[]): string
}

/** `head` is the command with the words that every call begins with. */
export function callerCommands(
  [command, ...head]: readonly [string, ...string[]],
  env: NodeJS.ProcessEnv = process.env,
): CallerCommands {
  const timeout = 60_000 * PATIENCE
  const options = { encoding: 'utf8', env, timeout, killSignal: 'SIGKILL' } as const
  const run = (args: readonly string[], input = ''): CallerResult => {
    const { status, stdout, stderr } = spawnSync(command, [...head, ...args], { ...options, input })
    return { status, stdout, stderr }
  }
  return {
    run,
    succeed(args, input) {
      const { status, stdout, stderr } = run(args, input)
      if (status !== 0) throw new Error(`${args.join(' ')}: ${status}: ${stderr}`)
      return stdout.replace(/\n$/, '')
    },
    async start(args) {
      const child = spawn(command, [...head, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
      let [stdout, stderr] = ['', '']
      child.stdout.on('data', (chunk) => {
        stdout += chunk
      })
      child.stderr.on('data', (chunk) => {
        stderr += chunk
      })
      const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
      return { status, stdout, stderr }
    },
    onTerminal(args) {
      const line = [command, ...head, ...args].map(shellWord).join(' ')
      return spawnSync('script', ['-qec', line, '/dev/null'], options).stdout
    },
  }
}
