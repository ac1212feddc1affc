/**
 * What the processes of a plan and Node say to each other over the report socket (AF_UNIX SOCK_STREAM).
 *
 *   launcher                       init (child)                     Node
 *      │ clone3 ────────────────────►│
 *      │ pid ─────────────────────────────────────────────────────────►│ compiles the rest meanwhile
 *      │                             │◄── reply: the plan is whole ────│
 *      │                             │ sync mappings ─────────────────►│ writes uid_map, gid_map
 *      │                             │◄──────────────────────── reply ─│
 *      │                             │ sync network ──────────────────►│ moves linux.netDevices
 *      │                             │◄──────────────────────── reply ─│
 *      │                             │ sync hooks ────────────────────►│ prestart, createRuntime hooks
 *      │                             │◄──────────────────────── reply ─│
 *      │                             │ sync copyUp, for each tmpfs ───►│ copies what the tmpfs covers
 *      │                             │◄──────────────────────── reply ─│
 *      │                             │ (mounts, pivot_root, …)         │
 *      │                             │ sync ready ────────────────────►│ state.json, pid file
 *      │                             │◄──────────────────────── reply ─│
 *      │ exit, or wait4 for init     │ start gate (its own socket)
 *      │                             │ sync listener ─────────────────►│ takes the seccomp listener (pidfd_getfd)
 *      │                             │◄──────────────────────── reply ─│
 *      │                             │ exec
 *      │ exited ──────────────────────────────────────────────────────►│ (supervised plans only)
 *
 * Every record is 16 bytes: {u32 type, u32 a, i32 b, u32 0}. Instead of any of them
 * `failed {pc, errno}` can come, or the end of the stream when all processes of the plan are gone.
 * A sync is the only two-way moment: the plan waits for one record, and ends when Node is gone.
 */
import { TsrunError } from '../errors.ts'
import { untilReadable } from './readiness.ts'
import { newBatch, runBatch } from './run-batch.ts'
import { syscall, waitReadable } from './syscalls.ts'

export const RECORD_SIZE = 16
const MSG_DONTWAIT = 0x40
const EAGAIN = 11
const ECONNRESET = 104

export const RECORD_TYPES = { failed: 1, pid: 2, sync: 3, exited: 4, starting: 5 } as const

/** The moments at which a plan waits for Node. */
export const SYNC_POINTS = {
  mappings: 1,
  hooks: 2,
  ready: 3,
  listener: 4,
  copyUp: 5,
  network: 6,
} as const
export type SyncPoint = keyof typeof SYNC_POINTS

export type ExecutorEvent =
  | { readonly type: 'failed'; readonly pc: number; readonly errno: number }
  | { readonly type: 'pid'; readonly pid: number }
  /** `descriptor` of the process is for Node to take, where the point says so; 0 else. */
  | { readonly type: 'sync'; readonly point: SyncPoint; readonly descriptor: number }
  /** `status` as wait4(2) gives it. */
  | { readonly type: 'exited'; readonly status: number }
  /** The start gate was passed; the exec is next. */
  | { readonly type: 'starting' }
  /** All processes of the plan closed the socket: they ended, or the exec succeeded. */
  | { readonly type: 'end' }

// A container is set up in two or three milliseconds. A wait through the event loop costs half a
// millisecond for each event; so long a wait in place costs others less than that saves.
const PATIENCE_MS = 2

/** The next event from the socket `fd`; blocks this thread for {@link PATIENCE_MS} at most. */
export async function receiveEvent(fd: number): Promise<ExecutorEvent> {
  const event = receive(fd, MSG_DONTWAIT)
  if (event !== undefined) return event
  if (waitReadable(fd, PATIENCE_MS)) return receiveEventSync(fd)
  await untilReadable(fd)
  return receiveEventSync(fd)
}

/** As {@link receiveEvent}, blocking this thread: for a command that has nothing else to do. */
export function receiveEventSync(fd: number): ExecutorEvent {
  return receive(fd, 0) ?? { type: 'end' }
}

/**
 * Lets the plan go on after a `sync`; false when nobody is there to hear it. At `sync hooks` the reply
 * carries init's pid as text.
 */
export function reply(fd: number, pid = 1): boolean {
  const MSG_NOSIGNAL = 0x4000
  const batch = newBatch()
  const record = batch.bytes(Buffer.from(String(pid).padStart(RECORD_SIZE)))
  const sent = batch.sys('sendto', [fd, record, RECORD_SIZE, MSG_NOSIGNAL, 0, 0], {
    tolerate: ['EPIPE', 'ECONNRESET'],
  })
  return runBatch(batch).value(sent) > 0
}

/**
 * Reaps a launcher that has said its last word: at once when it is gone, else in a moment. The kernel
 * takes a tenth of a millisecond to end it, in which we have better to do than to wait.
 */
export function reapLauncher(pid: number): void {
  const WNOHANG = 1
  if (syscall('wait4', [pid, 0, WNOHANG, 0]) !== 0) return
  const reap = (): void => {
    clearTimeout(timer)
    process.off('exit', reap)
    syscall('wait4', [pid, 0, 0, 0])
  }
  const timer = setTimeout(reap, 1)
  process.on('exit', reap)
}

/** Undefined when there is no record yet. */
function receive(fd: number, flags: number): ExecutorEvent | undefined {
  const batch = newBatch()
  const buffer = batch.zeros(RECORD_SIZE)
  const received = batch.sys('recvfrom', [fd, buffer, RECORD_SIZE, flags, 0, 0], {
    tolerate: ['ECONNRESET', 'EAGAIN'],
  })
  const plan = batch.finish()
  let result = runBatch(plan)
  // The other end left an answer of ours unread. A seqpacket socket says that before it hands over what
  // was sent to us, and says it once (net/unix/af_unix.c, sock_error()).
  if (result.value(received) === -ECONNRESET) result = runBatch(plan)
  const length = result.value(received)
  return length === -EAGAIN ? undefined : decodeEvent(result.bytes(buffer), length)
}

/** Decodes one record; hostile or torn records are refused. */
export function decodeEvent(bytes: Buffer, length: number): ExecutorEvent {
  if (length <= 0) return { type: 'end' }
  if (length !== RECORD_SIZE)
    throw new TsrunError('internal', `cannot read a report of ${length} bytes`)
  const type = bytes.readUInt32LE(0)
  const a = bytes.readUInt32LE(4)
  const b = bytes.readInt32LE(8)
  switch (type) {
    case RECORD_TYPES.failed:
      return { type: 'failed', pc: a, errno: b }
    case RECORD_TYPES.pid:
      return { type: 'pid', pid: b }
    case RECORD_TYPES.sync:
      return { type: 'sync', point: syncPoint(b), descriptor: a }
    case RECORD_TYPES.exited:
      return { type: 'exited', status: b }
    case RECORD_TYPES.starting:
      return { type: 'starting' }
    default:
      throw new TsrunError('internal', `cannot read a report of type ${type}`)
  }
}

function syncPoint(number: number): SyncPoint {
  for (const [name, value] of Object.entries(SYNC_POINTS))
    if (value === number) return name as SyncPoint
  throw new TsrunError('internal', `cannot read the sync point ${number}`)
}
