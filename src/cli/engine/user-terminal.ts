/** The user's side of a foreground container: stdin, stdout, stderr and the window. */
import { TsrunError } from '../../errors.ts'
import { DetachKeyWatcher } from './detach-keys.ts'

/** The container's side. */
export interface ContainerStreams {
  /** False asks to wait for {@link drained}. */
  sendInput(bytes: Uint8Array): boolean
  endInput(): void
  drained(callback: () => void): void
  resize(rows: number, columns: number): void
  /** Stops and goes on with the output. */
  pause(): void
  resume(): void
}

export interface UserTerminalOptions {
  /** The container has a terminal of its own. */
  readonly tty: boolean
  readonly interactive: boolean
  readonly detachKeys: Buffer
}

/** Throws unless stdin can be the input of a terminal. */
export function requireTerminal(tty: boolean, interactive: boolean): void {
  if (!tty || !interactive || process.stdin.isTTY) return
  throw new TsrunError(
    'invalid-argument',
    'cannot give the container a terminal: the input device is not a TTY',
    {
      hint: 'leave out -t, or -i',
    },
  )
}

/** Size of the user's window, zeros when there is none. */
export function windowSize(): { rows: number; columns: number } {
  return { rows: process.stdout.rows ?? 0, columns: process.stdout.columns ?? 0 }
}

/** Connects the user's terminal to a container; dispose it to get the terminal back as it was. */
export class UserTerminal implements Disposable {
  /**
   * Resolves when the user typed the detach keys, or nobody reads the output any more; rejects when
   * the output cannot be written for another reason.
   */
  readonly left: Promise<'detached' | 'broken-pipe'>
  readonly #options: UserTerminalOptions
  readonly #undo: (() => void)[] = []
  /** Outputs whose reader is slow. */
  readonly #blocked = new Set<NodeJS.WriteStream>()
  #streams: ContainerStreams | undefined
  #leave: (reason: 'detached' | 'broken-pipe') => void = () => {}
  #fail: (error: TsrunError) => void = () => {}

  constructor(options: UserTerminalOptions) {
    this.#options = options
    this.left = new Promise((resolve, reject) => {
      this.#leave = resolve
      this.#fail = reject
    })
    for (const stream of [process.stdout, process.stderr]) this.#watchForBrokenPipe(stream)
  }

  /** Begins to pass input and window sizes on. */
  connect(streams: ContainerStreams): void {
    this.#streams = streams
    if (this.#options.tty) this.#followWindow(streams)
    if (this.#options.interactive) this.#readInput(streams)
  }

  /** Writes the container's output; a slow reader slows the container down. */
  readonly write = (stream: 'stdout' | 'stderr', bytes: Uint8Array): void => {
    const target = stream === 'stdout' ? process.stdout : process.stderr
    if (target.write(bytes) || this.#blocked.has(target)) return
    this.#blocked.add(target)
    this.#streams?.pause()
    target.once('drain', () => {
      this.#blocked.delete(target)
      if (this.#blocked.size === 0) this.#streams?.resume()
    })
  }

  /** Waits until all output has left this process. */
  async flush(): Promise<void> {
    for (const stream of [process.stdout, process.stderr]) {
      await new Promise<void>((resolve) => stream.write('', () => resolve()))
    }
  }

  [Symbol.dispose](): void {
    for (const undo of this.#undo.splice(0).reverse()) undo()
  }

  #watchForBrokenPipe(stream: NodeJS.WriteStream): void {
    const onError = (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') this.#leave('broken-pipe')
      else this.#fail(new TsrunError('unavailable', 'cannot write the output', { cause: error }))
    }
    stream.on('error', onError)
    this.#undo.push(() => stream.off('error', onError))
  }

  #followWindow(streams: ContainerStreams): void {
    const tell = () => {
      const { rows, columns } = windowSize()
      if (rows > 0 && columns > 0) streams.resize(rows, columns)
    }
    tell()
    process.stdout.on('resize', tell)
    this.#undo.push(() => process.stdout.off('resize', tell))
  }

  #readInput(streams: ContainerStreams): void {
    const { stdin } = process
    const watcher = new DetachKeyWatcher(
      this.#options.tty ? this.#options.detachKeys : Buffer.alloc(0),
    )
    let waits = false
    const onData = (chunk: Buffer) => {
      const { pass, detached } = watcher.feed(chunk)
      if (pass.length > 0 && !streams.sendInput(pass) && !waits) {
        waits = true
        stdin.pause()
        streams.drained(() => {
          waits = false
          stdin.resume()
        })
      }
      if (detached) this.#leave('detached')
    }
    const onEnd = () => streams.endInput()
    this.#makeRaw()
    stdin.on('data', onData)
    stdin.once('end', onEnd)
    this.#undo.push(() => {
      stdin.off('data', onData)
      stdin.off('end', onEnd)
      stdin.pause()
      // A terminal or a pipe that nobody closes must not keep the process.
      stdin.unref?.()
    })
  }

  #makeRaw(): void {
    const { stdin } = process
    if (!this.#options.tty || !stdin.isTTY) return
    const wasRaw = stdin.isRaw
    stdin.setRawMode(true)
    const restore = () => stdin.setRawMode(wasRaw)
    process.once('exit', restore)
    this.#undo.push(() => {
      process.off('exit', restore)
      restore()
    })
  }
}
