/** A running container as an object: its streams, its end, its signals, further commands in it. */
import { Socket } from 'node:net'
import { type Readable, Readable as ReadableStream, type Writable } from 'node:stream'
import { TsrunError } from '../errors.ts'
import { signalName } from '../linux/signals.ts'
import type { ReachedLimit } from '../runtime/limits-reached.ts'
import type { Engine } from './engine.ts'
import { type ExecRequest, execProcess } from './exec-in-container.ts'
import type { ContainerOptions } from './library-options.ts'
import type { OwnedContainer } from './owned-container.ts'
import { type OurEnds, PipeSet } from './pipe-set.ts'
import { sendSignal, signalNumber } from './signal-container.ts'
import { waitForProcess } from './wait-container.ts'

export type { ReachedLimit }

/** How a process ended. */
export interface ProcessExit {
  /** 128 + signal when a signal ended the process. */
  readonly exitCode: number
  /** As `SIGKILL`; undefined when the process exited by itself. */
  readonly signal: string | undefined
}

/** What a process wrote, and how it ended. */
export interface ExecResult extends ProcessExit {
  readonly stdout: string
  readonly stderr: string
}

/** How a container ended. */
export interface ExitResult extends ProcessExit {
  /** Which limits it ran into, of its own or of a cgroup above, with peak and counter; empty for none. */
  readonly limitsReached: readonly ReachedLimit[]
}

/** What a container wrote, and how it ended. */
export interface RunResult extends ExitResult {
  readonly stdout: string
  readonly stderr: string
}

export interface ExecOptions extends Omit<ExecRequest, 'args' | 'env' | 'terminal' | 'workdir'> {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** What the process reads; nothing by default. */
  readonly stdin?: string | Uint8Array
}

const DEFAULT_MAX_OUTPUT = 64 * 1024 * 1024

export class Container implements AsyncDisposable {
  readonly id: string
  readonly name: string
  /** On the host. */
  readonly pid: number
  /** There with `stdin: 'pipe'`. */
  readonly stdin: Writable | undefined
  readonly stdout: Readable
  readonly stderr: Readable
  /** Resolves when the container has ended and nothing of it is left. */
  readonly exited: Promise<ExitResult>
  readonly #engine: Engine
  readonly #startTime: number
  readonly #options: ContainerOptions
  readonly #onAbort = () => this.kill()

  constructor(engine: Engine, owned: OwnedContainer, options: ContainerOptions) {
    this.#engine = engine
    this.#options = options
    this.id = owned.id
    this.name = owned.name
    this.pid = owned.pid
    this.#startTime = owned.startTime
    const { stdin, stdout, stderr } = streamsOf(owned)
    this.stdout = stdout
    this.stderr = stderr
    this.stdin = options.stdin === 'pipe' ? stdin : undefined
    if (stdin !== undefined) feed(stdin, options.stdin)
    options.signal?.addEventListener('abort', this.#onAbort, { once: true })
    this.exited = owned.exited.then((status) => {
      options.signal?.removeEventListener('abort', this.#onAbort)
      return { ...resultOf(status), limitsReached: status.limitsReached }
    })
    // Whoever waits gets the failure; nobody has to wait.
    this.exited.catch(() => {})
    if (options.signal?.aborted) this.kill()
  }

  /** Reads both streams to their end and resolves to them and the exit. */
  async result(): Promise<RunResult> {
    const max = this.#options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT
    const tooMuch = () => this.kill()
    const [stdout, stderr, exit] = await Promise.all([
      collect(this.stdout, max, tooMuch),
      collect(this.stderr, max, tooMuch),
      this.exited,
    ])
    this.#options.signal?.throwIfAborted()
    for (const [name, text] of [
      ['stdout', stdout],
      ['stderr', stderr],
    ] as const) {
      if (text === undefined)
        throw new TsrunError(
          'failed-precondition',
          `cannot collect the ${name} of container "${this.name}": it is longer than ${max} bytes`,
          { hint: 'read it as a stream, or raise maxOutputBytes' },
        )
    }
    return { ...exit, stdout: stdout ?? '', stderr: stderr ?? '' }
  }

  /** Sends a signal to the first process; one that has ended is left alone. */
  kill(signal: string | number = 'SIGKILL'): void {
    sendSignal(this.pid, this.#startTime, signalNumber(String(signal)))
  }

  /** Asks the container to end, and kills it after `timeoutMs`. */
  async stop(timeoutMs = 10_000): Promise<ExitResult> {
    this.kill('SIGTERM')
    if (!(await waitForProcess(this.pid, this.#startTime, timeoutMs))) this.kill()
    return await this.exited
  }

  /** Runs another command in the container. */
  async exec(args: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const { env = {}, cwd, stdin, ...request } = options
    using pipes = new PipeSet(true)
    const { exited } = await execProcess(
      this.#engine,
      this.id,
      {
        ...request,
        args,
        workdir: cwd,
        env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
      },
      { stdio: pipes.theirs, supervise: true },
    )
    const streams = streamsOf(pipes.release())
    pipes[Symbol.dispose]()
    streams.stdin?.end(stdin ?? '')
    const max = this.#options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT
    const tooMuch = () => {
      streams.stdout.destroy()
      streams.stderr.destroy()
    }
    const [stdout, stderr, status] = await Promise.all([
      collect(streams.stdout, max, tooMuch),
      collect(streams.stderr, max, tooMuch),
      exited,
    ])
    if (status === undefined || stdout === undefined || stderr === undefined) {
      throw new TsrunError(
        'failed-precondition',
        `cannot collect the output of "${args[0]}": it is longer than ${max} bytes`,
      )
    }
    return { ...resultOf(status), stdout, stderr }
  }

  /** Kills the container if it still runs, and waits until nothing of it is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.kill()
    this.stdin?.destroy()
    await this.exited.catch(() => {})
    this.stdout.destroy()
    this.stderr.destroy()
  }
}

function streamsOf({ stdin, stdout, stderr }: OurEnds) {
  const reader = (fd: number) => new Socket({ fd, readable: true, writable: false })
  const writer = stdin && new Socket({ fd: stdin.release(), readable: false, writable: true })
  // The process may end, or close its stdin, before it has read everything: no error of ours.
  writer?.on('error', () => writer.destroy())
  return { stdin: writer, stdout: reader(stdout.release()), stderr: reader(stderr.release()) }
}

function feed(stdin: Writable, source: ContainerOptions['stdin']): void {
  if (source instanceof ReadableStream) source.pipe(stdin)
  else if (source instanceof Uint8Array) stdin.end(source)
  else if (typeof source === 'object') stdin.end(source.text)
}

/** The text of a stream; undefined when it is longer than `max` bytes. */
async function collect(
  stream: Readable,
  max: number,
  tooMuch: () => void,
): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of stream) {
      const bytes = Buffer.from(chunk)
      length += bytes.length
      if (length <= max) chunks.push(bytes)
      else tooMuch()
    }
  } catch (error) {
    if (length <= max) throw error
  }
  return length <= max ? Buffer.concat(chunks).toString() : undefined
}

function resultOf({
  exitCode,
  signal,
}: {
  readonly exitCode: number
  readonly signal: number
}): ProcessExit {
  return { exitCode, signal: signal === 0 ? undefined : signalName(signal) }
}
