/** `start` as one plan: passes the start gate of a created container. */
import { AT_FDCWD, O_CREAT, O_EXCL, O_PATH, O_WRONLY } from '../../linux/open-flags.ts'
import { RECORD_TYPES, RECORD_SIZE as REPORT_SIZE } from '../../native/executor-protocol.ts'
import type { DataRef, Slot } from '../../plan/instruction.ts'
import type { Architecture, Plan } from '../../plan/plan.ts'
import { START_FAILURE } from '../start-failure.ts'
import {
  emitLock,
  emitOpenRoot,
  emitTryOpenFolder,
  type LockedContainer,
  VerbPlan,
} from './verb-plan.ts'
import { RECORD_FLAGS } from './verb-record.ts'

const AF_UNIX = 1
const SOCK_SEQPACKET_CLOEXEC = 0o2000005
const GATE = 'start'

/** What src/runtime/start.ts does where there is no hook and no listener. */
export function compileStartPlan(architecture: Architecture): Plan {
  const v = new VerbPlan(architecture)
  const { b } = v
  const root = emitOpenRoot(v)
  const folder = emitTryOpenFolder(v, root)
  b.branch(folder, 'lt', 0, v.toEngine)
  const container = emitLock(v, root, folder, RECORD_FLAGS.start)
  const failure = b.string(START_FAILURE)
  // An earlier start was killed before it could say why it failed.
  b.branch(v.call('faccessat', [folder, failure, 0]), 'eq', 0, v.toEngine)
  const gate = emitConnect(v, container)
  const first = b.zeros(REPORT_SIZE)
  const received = v.call('recvfrom', [gate, first, REPORT_SIZE, 0, 0, 0])
  // From here on the container counts as started, whatever comes of the exec.
  v.call('unlinkat', [folder, b.string(GATE), 0])
  const failed = b.label()
  b.branch(received, 'ne', REPORT_SIZE, v.toEngine)
  b.branch(b.load(4, first), 'eq', RECORD_TYPES.failed, failed)
  b.branch(b.load(4, first), 'ne', RECORD_TYPES.starting, v.toEngine)
  // The end of the stream is the exec.
  const second = v.call('recvfrom', [gate, first, REPORT_SIZE, 0, 0, 0])
  v.branchDone(second, 'eq', 0)
  b.branch(second, 'ne', REPORT_SIZE, v.toEngine)
  b.branch(b.load(4, first), 'ne', RECORD_TYPES.failed, v.toEngine)
  b.place(failed)
  emitKeepFailure(v, folder, failure, first)
  return v.finish()
}

/**
 * The gate is alive as long as its init is: nobody else has the socket that listens there. Reached from
 * inside the folder, as an address has room for 108 bytes (unix(7)).
 */
function emitConnect(v: VerbPlan, { folder }: LockedContainer): Slot {
  const { b } = v
  const here = v.open(AT_FDCWD, b.string('.'), O_PATH | v.directory)
  const socket = v.need('socket', [AF_UNIX, SOCK_SEQPACKET_CLOEXEC, 0])
  v.closeAtEnd(socket)
  const address = Buffer.from(`\0\0${GATE}\0`)
  address.writeUInt16LE(AF_UNIX, 0)
  v.need('fchdir', [folder])
  const connected = v.call('connect', [socket, b.bytes(address), address.length])
  v.call('fchdir', [here])
  b.branch(connected, 'lt', 0, v.toEngine)
  return socket
}

// The engine says what it means (src/runtime/start-failure.ts): nobody else will hear it from init again.
function emitKeepFailure(v: VerbPlan, folder: Slot, name: DataRef, report: DataRef): void {
  const file = v.open(folder, name, O_WRONLY | O_CREAT | O_EXCL)
  v.call('write', [file, report, REPORT_SIZE])
}
