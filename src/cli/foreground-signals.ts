/** Signals to a foreground command: they stop it while its program is being made, and are the program's from then on. */
import { parseSignal } from '../linux/signals.ts'

/** What people and supervisors send to end a command. */
const STOPPING: ReadonlySet<NodeJS.Signals> = new Set(['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'])

/**
 * Catches `names` from before there is a program. The command passes {@link stop} and {@link begin} to what
 * makes the program, and {@link deliver} says where signals go once it runs. One that comes in between is
 * the program's and waits for that; the same stopping signal twice meanwhile ends the command at once.
 */
export class ForegroundSignals implements Disposable {
  readonly #listeners: readonly { readonly name: NodeJS.Signals; readonly listener: () => void }[]
  readonly #stop = new AbortController()
  readonly #waiting: NodeJS.Signals[] = []
  #stoppedBy: NodeJS.Signals | undefined
  #hasBegun = false
  #send: ((name: NodeJS.Signals) => void) | undefined

  constructor(names: readonly NodeJS.Signals[]) {
    this.#listeners = names.map((name) => ({ name, listener: () => this.#receive(name) }))
    for (const { name, listener } of this.#listeners) process.on(name, listener)
  }

  /** Aborted by a stopping signal that comes before {@link begin}. */
  get stop(): AbortSignal {
    return this.#stop.signal
  }

  /** Called when the program is about to run: from here on no signal aborts. Throws when one has. */
  readonly begin = (): void => {
    this.stop.throwIfAborted()
    this.#hasBegun = true
  }

  /** The program runs and gets every signal by `send`, first those that waited. */
  deliver(send: (name: NodeJS.Signals) => void): void {
    this.#send = send
    for (const name of this.#waiting.splice(0)) send(name)
  }

  /** Signals do to this process again what they do by themselves, those that waited too. */
  release(): void {
    this[Symbol.dispose]()
    for (const name of this.#waiting.splice(0)) process.kill(process.pid, name)
  }

  /**
   * After a failure: when a signal was its reason, ends this process as that signal does by itself, so that
   * shells and supervisors see it. The result is for pid 1, which the kernel spares (kill(2)); undefined
   * when no signal has stopped the command.
   */
  endIfStopped(): number | undefined {
    if (this.#stoppedBy === undefined || !this.stop.aborted) return undefined
    return this.#end(this.#stoppedBy)
  }

  [Symbol.dispose](): void {
    for (const { name, listener } of this.#listeners) process.off(name, listener)
  }

  #receive(name: NodeJS.Signals): void {
    if (this.#send !== undefined) {
      this.#send(name)
      return
    }
    if (STOPPING.has(name)) this.#receiveStopping(name)
    this.#waiting.push(name)
  }

  #receiveStopping(name: NodeJS.Signals): void {
    if (this.#waiting.includes(name)) this.#end(name)
    this.#stoppedBy ??= name
    if (!this.#hasBegun) this.#stop.abort(new Error(`stopped by ${name}`))
  }

  #end(name: NodeJS.Signals): number {
    this[Symbol.dispose]()
    process.kill(process.pid, name)
    return 128 + (parseSignal(name) ?? 0)
  }
}

/**
 * Does the work of a foreground command with `names` caught. When a signal stopped it, whatever failed
 * failed for that, and nothing is told: people who press Ctrl-C know.
 */
export async function inForeground(
  names: readonly NodeJS.Signals[],
  work: (signals: ForegroundSignals) => Promise<number>,
): Promise<number> {
  using signals = new ForegroundSignals(names)
  try {
    return await work(signals)
  } catch (error) {
    const status = signals.endIfStopped()
    if (status === undefined) throw error
    return status
  }
}
