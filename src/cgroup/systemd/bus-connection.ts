/**
 * A connection to a D-Bus bus, or to systemd's own socket, as far as asking systemd for units needs it.
 *
 *   us                                     bus
 *   \0 AUTH EXTERNAL <uid> · BEGIN ------>
 *   Hello, AddMatch, the first call ----->        (all in one write: nothing waits for the bus's words)
 *                                   <------ OK <guid>
 *                                   <------ replies, signals
 */
import { connect, type Socket } from 'node:net'
import { errnoCodeOf, TsrunError } from '../../errors.ts'
import { createDeferred, type Deferred } from '../../util/deferred.ts'
import { hostUid } from '../../util/host-user.ts'
import {
  decodeMessage,
  encodeCall,
  type Message,
  type MethodCall,
  messageLength,
} from './dbus-message.ts'
import { decodeValues } from './dbus-values.ts'

const MAX_AUTH_LINE = 16 * 1024
const CALL_TIMEOUT_MS = 30_000
const BUS = {
  destination: 'org.freedesktop.DBus',
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus',
}

export interface BusOptions {
  /** Path of the socket; one that begins with a NUL is abstract. */
  readonly socket: string
  /** What the user knows the other side as: `the system bus`. */
  readonly name: string
  /** There is a bus daemon: it wants to be greeted, and routes signals that match. */
  readonly match?: string
}

/** A signal that is to come. */
export interface Expectation<Result> extends Disposable {
  /** Waits for it; `what` names it in the error when it does not come. */
  within(what: string): Promise<Result>
}

/** An error that the other side answered with. */
export class BusError extends TsrunError {
  /** Such as `org.freedesktop.systemd1.UnitExists`. */
  readonly errorName: string

  constructor(errorName: string, text: string) {
    super('failed-precondition', text === '' ? errorName : text)
    this.name = 'BusError'
    this.errorName = errorName
  }
}

export class BusConnection implements Disposable {
  readonly #socket: Socket
  readonly #name: string
  readonly #replies = new Map<number, Deferred<Message>>()
  readonly #listeners = new Set<(message: Message) => void>()
  readonly #onFailure = new Set<(error: TsrunError) => void>()
  #serial = 0
  #received: Buffer = Buffer.alloc(0)
  #isAuthenticated = false
  #failure: TsrunError | undefined

  /** Connects. What is wrong with the connection is told by the calls on it. */
  constructor({ socket, name, match }: BusOptions) {
    this.#name = name
    this.#socket = connect({ path: socket })
    this.#socket.on('data', (bytes) => {
      this.#receive(bytes)
    })
    this.#socket.on('error', (error) => {
      this.#fail(`cannot talk to ${name}: ${errnoCodeOf(error) ?? error.message}`, error)
    })
    this.#socket.on('close', () => {
      this.#fail(`cannot talk to ${name}: it closed the connection`)
    })
    const uid = Buffer.from(String(hostUid())).toString('hex')
    this.#socket.write(`\0AUTH EXTERNAL ${uid}\r\nBEGIN\r\n`)
    if (match === undefined) return
    this.#greet({ ...BUS, member: 'Hello', signature: '', body: [] })
    this.#greet({ ...BUS, member: 'AddMatch', signature: 's', body: [match] })
  }

  /** Calls a method and waits for its answer. Throws {@link BusError} for an answer that is an error. */
  async call(call: MethodCall): Promise<Message> {
    if (this.#failure !== undefined) throw this.#failure
    const serial = ++this.#serial
    const reply = createDeferred<Message>()
    this.#replies.set(serial, reply)
    this.#socket.write(encodeCall(call, serial))
    const message = await this.#inTime(reply.promise, `${call.member} of ${this.#name}`)
    if (message.type !== 'error') return message
    throw new BusError(message.errorName ?? '', errorText(message))
  }

  /** Listens, from now on until it is disposed, for a signal that `wanted` finds something in. */
  listen<Result>(wanted: (message: Message) => Result | undefined): Expectation<Result> {
    const found = createDeferred<Result>()
    const listener = (message: Message): void => {
      const result = wanted(message)
      if (result !== undefined) found.resolve(result)
    }
    this.#listeners.add(listener)
    return {
      within: async (what) => {
        if (this.#failure !== undefined) throw this.#failure
        this.#onFailure.add(found.reject)
        return await this.#inTime(found.promise, what)
      },
      [Symbol.dispose]: () => {
        this.#listeners.delete(listener)
        this.#onFailure.delete(found.reject)
      },
    }
  }

  [Symbol.dispose](): void {
    this.#failure ??= new TsrunError('unavailable', `the connection to ${this.#name} is closed`)
    this.#socket.destroy()
  }

  // The bus answers these in order, before anything that we ask for behind them.
  #greet(call: MethodCall): void {
    this.call(call).catch((error: unknown) => {
      this.#fail(`cannot talk to ${this.#name}: ${call.member}: ${String(error)}`, error)
    })
  }

  async #inTime<Result>(work: Promise<Result>, what: string): Promise<Result> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(
          new TsrunError('unavailable', `cannot talk to ${this.#name}: no answer to ${what} came`, {
            hint: 'see whether systemd answers at all: systemctl status',
          }),
        )
      }, CALL_TIMEOUT_MS)
    })
    try {
      return await Promise.race([work, late])
    } finally {
      clearTimeout(timer)
    }
  }

  #receive(bytes: Buffer): void {
    this.#received = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes])
    try {
      if (!this.#isAuthenticated && !this.#readAuthentication()) return
      this.#readMessages()
    } catch (cause) {
      this.#fail(
        `cannot talk to ${this.#name}: ${cause instanceof Error ? cause.message : String(cause)}`,
        cause,
      )
      this.#socket.destroy()
    }
  }

  /** False while the line is not whole. */
  #readAuthentication(): boolean {
    const end = this.#received.indexOf('\r\n')
    if (end < 0) {
      if (this.#received.length > MAX_AUTH_LINE) throw new Error('it does not speak D-Bus')
      return false
    }
    const line = this.#received.toString('latin1', 0, end)
    if (!line.startsWith('OK ')) throw new Error(`it refused our user: ${line.slice(0, 80)}`)
    this.#received = this.#received.subarray(end + 2)
    this.#isAuthenticated = true
    return true
  }

  #readMessages(): void {
    for (;;) {
      const length = messageLength(this.#received)
      if (length === undefined || this.#received.length < length) return
      const message = decodeMessage(this.#received.subarray(0, length))
      this.#received = this.#received.subarray(length)
      this.#dispatch(message)
    }
  }

  #dispatch(message: Message): void {
    if (message.type === 'signal') for (const listener of this.#listeners) listener(message)
    if (message.replySerial === undefined || message.type === 'signal') return
    this.#replies.get(message.replySerial)?.resolve(message)
    this.#replies.delete(message.replySerial)
  }

  #fail(text: string, cause?: unknown): void {
    if (this.#failure !== undefined) return
    const failure = new TsrunError('unavailable', text, { cause })
    this.#failure = failure
    for (const reply of this.#replies.values()) reply.reject(failure)
    for (const lost of this.#onFailure) lost(failure)
    this.#replies.clear()
  }
}

function errorText({ signature, body }: Message): string {
  if (!signature.startsWith('s')) return ''
  const [text] = decodeValues('s', body)
  return String(text)
}
