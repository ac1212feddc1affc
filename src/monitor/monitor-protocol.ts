/**
 * What the container's monitor is told and what it says: twin of native-bindings/monitor.h.
 * test/native/monitor-protocol.test.ts holds the two together.
 *
 *   tsrun                            tsrun-monitor                     clients (attach.sock)
 *     │ config, descriptors ────────────►│ forks, setsid, listens            │
 *     │                                  │ starts tsrun-init                 │
 *     │◄──────────────────────── hello ──│                                   │
 *     │   (tsrun drives the plan over its own report socket)                 │
 *     │ created {pid} ──────────────────►│                                   │
 *     │                                  │◄──────────────── hello {flags} ───│
 *     │                                  │ attached ────────────────────────►│
 *     │ started ────────────────────────►│ stdout, stderr ──────────────────►│
 *     │                                  │◄──────── input, resize, … ────────│
 *     │                                  │ (init ends; log, exit record)     │
 *     │                                  │ exit {status} ───────────────────►│
 *     │                                  │◄──────────────────────── cleaned ─│ the owner, when there
 *     │                                  │ else: runs the clean-up command   │ is one
 *
 * When the control socket closes before `started`, the monitor runs the clean-up command at once. A clean-up command
 * that exits with a status of {@link RESTART_STATUS} and above is run once more after a while: it has released the
 * container then, and starts it anew under another monitor the second time.
 * Control records are 16 bytes: {u32 type, u32 step, i32 value, u32 0}. Frames of the attach
 * socket are {u32 type, u32 length} and the payload. All little endian.
 */
import { TsrunError } from '../errors.ts'

export const MONITOR_MAGIC = 0x4d525354
export const MONITOR_VERSION = 2
export const MONITOR_CONFIG_SIZE = 80
export const CONTROL_RECORD_SIZE = 16
export const FRAME_HEADER = 8
/** The longest payload a client may send. */
export const MAX_FRAME = 8192
/** The longest payload the monitor sends. */
export const CHUNK = 16384
export const MAX_STRINGS = 24
export const MAX_STRING_BYTES = 4096
export const MAX_TETHERS = 2
export const MAX_CHECK_RESULTS = 5
/**
 * The clean-up command exits with this and `n` to be run once more in `RESTART_DELAY_MS << n` milliseconds,
 * {@link RESTART_MAX_DELAY_MS} at most.
 */
export const RESTART_STATUS = 64
export const RESTART_STATUS_LAST = 79
export const RESTART_DELAY_MS = 100
export const RESTART_MAX_DELAY_MS = 60_000
/** For ever, where a duration stands in the configuration. */
const NEVER = 0xffffffff

export const MONITOR_FLAGS = { terminal: 1, input: 2, inputOnce: 4 } as const

export const CONTROL_TYPES = { hello: 1, failed: 2, created: 3, started: 4, abandon: 5 } as const
export type ControlType = keyof typeof CONTROL_TYPES

/** What the monitor was doing when it failed, by number. */
export const MONITOR_STEPS = ['', 'config', 'session', 'signals', 'listen', 'start'] as const

export const CLIENT_FRAMES = {
  hello: 1,
  input: 2,
  inputEnd: 3,
  resize: 4,
  cleaned: 5,
  check: 6,
} as const
export const CLIENT_FLAGS = { wantsOutput: 1, isPatient: 2, isOwner: 4, givesInput: 8 } as const

export const MONITOR_FRAMES = {
  stdout: 1,
  stderr: 2,
  attached: 3,
  exit: 4,
  skipped: 5,
  checked: 6,
} as const
export type MonitorFrameType = keyof typeof MONITOR_FRAMES

/** What the monitor does with a container that has become unhealthy. */
export const CHECK_ACTIONS = { none: 0, kill: 1, stop: 2 } as const

/** In the order of the numbers in the file `health`. */
export const HEALTH_STATES = ['starting', 'healthy', 'unhealthy', 'none'] as const
export type HealthState = (typeof HEALTH_STATES)[number]

export interface CheckSchedule {
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly startPeriodMs: number
  readonly startIntervalMs: number
  /** So many failures in a row make a container unhealthy. */
  readonly retries: number
  readonly action: keyof typeof CHECK_ACTIONS
}

export interface MonitorConfig {
  readonly terminal: boolean
  /** stdin is open. */
  readonly input: boolean
  /** stdin is closed when the owning client goes. */
  readonly inputOnce: boolean
  readonly rows: number
  readonly columns: number
  /** How many descriptors tsrun-init gets. */
  readonly descriptorCount: number
  /** argv[1] of tsrun-init. */
  readonly initArgument: string
  /** Name of the log in the container's folder; undefined for no log. */
  readonly logFile: string | undefined
  /** A file of the log does not become longer; 0 for no limit. */
  readonly logMaxSize: number
  readonly logMaxFiles: number
  /** The container is killed after so long; 0 for never. */
  readonly timeoutMs: number
  /** How many of the processes that the container dies with there are. */
  readonly tetherCount: number
  readonly check: CheckSchedule | undefined
  readonly stopSignal: number
  /** From the stop signal to SIGKILL; undefined for ever. */
  readonly stopTimeoutMs: number | undefined
  /** Run when the container has ended; the first is an absolute path. */
  readonly cleanup: readonly string[]
}

/** The configuration as the monitor reads it. */
export function encodeMonitorConfig(config: MonitorConfig): Buffer {
  const texts = [config.initArgument, config.logFile ?? '', ...config.cleanup]
  const strings = Buffer.from(texts.map((text) => `${text}\0`).join(''))
  if (texts.length > MAX_STRINGS || strings.length > MAX_STRING_BYTES) {
    throw new TsrunError(
      'invalid-argument',
      `cannot start a monitor: its clean-up command is longer than ${MAX_STRING_BYTES} bytes`,
    )
  }
  const header = Buffer.alloc(MONITOR_CONFIG_SIZE)
  header.writeUInt32LE(MONITOR_MAGIC, 0)
  header.writeUInt16LE(MONITOR_VERSION, 4)
  header.writeUInt16LE(flagsOf(config), 6)
  header.writeUInt32LE(config.descriptorCount, 8)
  header.writeUInt32LE(texts.length, 12)
  header.writeUInt32LE(strings.length, 16)
  header.writeUInt16LE(config.rows, 20)
  header.writeUInt16LE(config.columns, 22)
  header.writeUInt32LE(config.timeoutMs, 24)
  header.writeUInt32LE(config.tetherCount, 28)
  header.writeBigUInt64LE(BigInt(config.logMaxSize), 32)
  header.writeUInt32LE(config.logMaxFiles, 40)
  writeCheck(header, config.check)
  header.writeUInt32LE(config.stopSignal, 68)
  header.writeUInt32LE(config.stopTimeoutMs ?? NEVER, 72)
  return Buffer.concat([header, strings])
}

function writeCheck(header: Buffer, check: CheckSchedule | undefined): void {
  if (check === undefined) return
  header.writeUInt32LE(check.retries, 44)
  header.writeUInt32LE(check.intervalMs, 48)
  header.writeUInt32LE(check.timeoutMs, 52)
  header.writeUInt32LE(check.startPeriodMs, 56)
  header.writeUInt32LE(check.startIntervalMs, 60)
  header.writeUInt32LE(CHECK_ACTIONS[check.action], 64)
}

function flagsOf(config: MonitorConfig): number {
  return (
    (config.terminal ? MONITOR_FLAGS.terminal : 0) |
    (config.input ? MONITOR_FLAGS.input : 0) |
    (config.inputOnce ? MONITOR_FLAGS.inputOnce : 0)
  )
}

/** A record for the control socket. */
export function encodeControl(type: ControlType, value = 0): Buffer {
  const record = Buffer.alloc(CONTROL_RECORD_SIZE)
  record.writeUInt32LE(CONTROL_TYPES[type], 0)
  record.writeInt32LE(value, 8)
  return record
}

export type ControlEvent =
  | { readonly type: 'hello'; readonly pid: number }
  | { readonly type: 'failed'; readonly step: string; readonly errno: number }
  /** The monitor is gone. */
  | { readonly type: 'end' }

/** Decodes what the monitor says on the control socket. */
export function decodeControl(bytes: Buffer, length: number): ControlEvent {
  if (length <= 0) return { type: 'end' }
  const type = length === CONTROL_RECORD_SIZE ? bytes.readUInt32LE(0) : 0
  const value = bytes.readInt32LE(8)
  if (type === CONTROL_TYPES.hello) return { type: 'hello', pid: value }
  if (type === CONTROL_TYPES.failed) {
    return { type: 'failed', step: MONITOR_STEPS[bytes.readUInt32LE(4)] ?? 'unknown', errno: value }
  }
  throw new TsrunError(
    'internal',
    `cannot read a monitor record of ${length} bytes and type ${type}`,
  )
}

/** A frame for the attach socket. */
export function encodeFrame(
  type: keyof typeof CLIENT_FRAMES,
  payload: Uint8Array = new Uint8Array(),
): Buffer {
  if (payload.length > MAX_FRAME) throw new RangeError(`a frame of ${payload.length} bytes`)
  const frame = Buffer.alloc(FRAME_HEADER + payload.length)
  frame.writeUInt32LE(CLIENT_FRAMES[type], 0)
  frame.writeUInt32LE(payload.length, 4)
  frame.set(payload, FRAME_HEADER)
  return frame
}

export interface MonitorFrame {
  readonly type: MonitorFrameType
  readonly payload: Buffer
}

/** Cuts the monitor's byte stream into frames. */
export class FrameDecoder {
  #rest: Buffer = Buffer.alloc(0)

  /** The frames that `chunk` completes. Throws on a type or length that no monitor sends. */
  push(chunk: Buffer): MonitorFrame[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const frames: MonitorFrame[] = []
    let at = 0
    while (bytes.length - at >= FRAME_HEADER) {
      const length = bytes.readUInt32LE(at + 4)
      if (length > CHUNK)
        throw new TsrunError('internal', `cannot read a monitor frame of ${length} bytes`)
      if (bytes.length - at < FRAME_HEADER + length) break
      const payload = bytes.subarray(at + FRAME_HEADER, at + FRAME_HEADER + length)
      frames.push({ type: frameType(bytes.readUInt32LE(at)), payload })
      at += FRAME_HEADER + length
    }
    this.#rest = bytes.subarray(at)
    return frames
  }
}

function frameType(number: number): MonitorFrameType {
  for (const [name, value] of Object.entries(MONITOR_FRAMES)) {
    if (value === number) return name as MonitorFrameType
  }
  throw new TsrunError('internal', `cannot read a monitor frame of type ${number}`)
}
