/** A client of the monitor's attach socket: output, input, window size and the exit of one container. */
import { closeSync, constants, openSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import {
  CLIENT_FLAGS,
  encodeFrame,
  FrameDecoder,
  HEALTH_STATES,
  type HealthState,
  MAX_FRAME,
  type MonitorFrame,
} from './monitor-protocol.ts'

export interface AttachOptions {
  readonly output: boolean
  /** The container waits while this client does not read; without it a lagging client is dropped. */
  readonly patient: boolean
  /** This client cleans up after the exit and says so by {@link AttachClient.cleaned}. */
  readonly owner: boolean
  /** The container's stdin ends when this client goes, where it ends at all. */
  readonly givesInput?: boolean
  /** Called when the monitor has taken us on, before any output. */
  readonly onAttached?: (client: AttachClient) => void
  readonly onOutput?: (stream: 'stdout' | 'stderr', bytes: Buffer) => void
  /** Called with how many bytes of output this client has missed, having lagged. */
  readonly onSkipped?: (bytes: number) => void
}

/** What a health check has found. */
export interface CheckOutcome {
  readonly health: HealthState
  /** -1 when the check could not run or was killed. */
  readonly exitCode: number
}

/** sizeof(sun_path) - 1, unix(7). */
const MAX_SOCKET_PATH = 107

const QUEUE_PATIENCE_MS = 10_000
const QUEUE_INTERVAL_MS = 10

/** Connects to the monitor of the container in `directory`; undefined when it has none any more. */
export async function attachToMonitor(
  directory: string,
  options: AttachOptions,
): Promise<AttachClient | undefined> {
  const folder = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    const full = join(directory, 'attach.sock')
    const path =
      Buffer.byteLength(full) <= MAX_SOCKET_PATH ? full : `/proc/self/fd/${folder}/attach.sock`
    const socket = await connectPatiently(path)
    if (socket === undefined) return undefined
    const client = new AttachClient(socket, options)
    return (await client.attached) ? client : undefined
  } finally {
    closeSync(folder)
  }
}

// A monitor that has not been scheduled yet has its queue full of others: connect(2) then says EAGAIN to
// whoever does not block, as Node does not.
async function connectPatiently(path: string): Promise<Socket | undefined> {
  for (const deadline = Date.now() + QUEUE_PATIENCE_MS; ; await sleep(QUEUE_INTERVAL_MS)) {
    try {
      return await connect(path)
    } catch (error) {
      if (errnoCodeOf(error) !== 'EAGAIN') throw error
      if (Date.now() > deadline)
        throw new TsrunError('unavailable', 'cannot attach to the container: its monitor is busy', {
          cause: error,
          hint: 'look whether the tsrun-monitor of the container is stopped (kill -CONT)',
        })
    }
  }
}

function connect(path: string): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path })
    socket.once('connect', () => {
      socket.removeAllListeners('error')
      resolve(socket)
    })
    socket.once('error', (error) => {
      const code = errnoCodeOf(error)
      if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ECONNRESET') resolve(undefined)
      else reject(error)
    })
  })
}

export class AttachClient implements Disposable {
  /** True once the monitor delivers what comes next; false when it went before that. */
  readonly attached: Promise<boolean>
  /** The wait4(2) status of the container; undefined when the connection ended without one. */
  readonly exit: Promise<number | undefined>
  readonly #socket: Socket
  readonly #decoder = new FrameDecoder()
  readonly #options: AttachOptions
  readonly #closed: Promise<void>
  #resolveAttached: (attached: boolean) => void = () => {}
  #resolveExit: (status: number | undefined) => void = () => {}
  #checks: ((outcome: CheckOutcome | undefined) => void)[] = []

  constructor(socket: Socket, options: AttachOptions) {
    this.#socket = socket
    this.#options = options
    this.attached = new Promise((resolve) => {
      this.#resolveAttached = resolve
    })
    this.exit = new Promise((resolve) => {
      this.#resolveExit = resolve
    })
    this.#closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#resolveAttached(false)
        this.#resolveExit(undefined)
        this.#endChecks(undefined)
        resolve()
      })
    })
    socket.on('data', (chunk) => this.#receive(Buffer.from(chunk)))
    // A reset is the monitor's end like any other: `close` follows and tells it.
    socket.on('error', () => {})
    socket.write(encodeFrame('hello', helloFlags(options)))
  }

  /** Sends bytes to the container's stdin; false asks the caller to wait for {@link drained}. */
  sendInput(bytes: Uint8Array): boolean {
    let flowing = true
    for (let at = 0; at < bytes.length; at += MAX_FRAME) {
      flowing = this.#write(encodeFrame('input', bytes.subarray(at, at + MAX_FRAME)))
    }
    return flowing
  }

  endInput(): void {
    this.#write(encodeFrame('inputEnd'))
  }

  /** Calls back once the socket takes more input. */
  drained(callback: () => void): void {
    this.#socket.once('drain', callback)
  }

  resize(rows: number, columns: number): void {
    const size = Buffer.alloc(4)
    size.writeUInt16LE(Math.min(rows, 0xffff), 0)
    size.writeUInt16LE(Math.min(columns, 0xffff), 2)
    this.#write(encodeFrame('resize', size))
  }

  /** Has a health check run now, or hears of the one that runs; undefined when the monitor goes first. */
  check(): Promise<CheckOutcome | undefined> {
    this.#write(encodeFrame('check'))
    return new Promise((resolve) => this.#checks.push(resolve))
  }

  /** Stops reading: a patient client then holds the container back. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Says that the owner has cleaned up, and waits for the monitor to be gone. */
  async cleaned(): Promise<void> {
    this.#write(encodeFrame('cleaned'))
    this.#socket.resume()
    await this.#closed
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }

  #write(frame: Buffer): boolean {
    return this.#socket.writable ? this.#socket.write(frame) : true
  }

  #receive(chunk: Buffer): void {
    for (const frame of this.#decoder.push(chunk)) this.#take(frame)
  }

  #take(frame: MonitorFrame): void {
    switch (frame.type) {
      case 'attached':
        // Before the next frame of the same chunk: that may be output.
        this.#options.onAttached?.(this)
        this.#resolveAttached(true)
        return
      case 'exit':
        this.#resolveExit(frame.payload.readInt32LE(0))
        return
      case 'skipped':
        this.#options.onSkipped?.(Number(frame.payload.readBigUInt64LE(0)))
        return
      case 'checked':
        this.#endChecks({
          health: HEALTH_STATES[frame.payload.readUInt32LE(0)] ?? 'none',
          exitCode: frame.payload.readInt32LE(4),
        })
        return
      default:
        this.#options.onOutput?.(frame.type, frame.payload)
    }
  }

  #endChecks(outcome: CheckOutcome | undefined): void {
    for (const resolve of this.#checks.splice(0)) resolve(outcome)
  }
}

function helloFlags(options: AttachOptions): Buffer {
  const flags = Buffer.alloc(4)
  flags.writeUInt32LE(
    (options.output ? CLIENT_FLAGS.wantsOutput : 0) |
      (options.givesInput === true ? CLIENT_FLAGS.givesInput : 0) |
      (options.patient ? CLIENT_FLAGS.isPatient : 0) |
      (options.owner ? CLIENT_FLAGS.isOwner : 0),
  )
  return flags
}
