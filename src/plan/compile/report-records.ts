/** Emits the records that a plan sends to Node (src/native/executor-protocol.ts has the diagram). */
import type { DataRef, Operand, Slot } from '../instruction.ts'
import type { Plan } from '../plan.ts'
import type { PlanBuilder } from '../plan-builder.ts'

const RECORD_SIZE = 16
const MSG_NOSIGNAL = 0x4000
const TYPES = { pid: 2, sync: 3, exited: 4, starting: 5 } as const
const POINTS = { mappings: 1, hooks: 2, ready: 3, listener: 4, copyUp: 5, network: 6 } as const
/** Exit status of a process whose partner is gone, which reported why. */
export const EXIT_ABANDONED = 122

/** Sends {type, descriptor or 0, value} to `socket`. A listener that is gone is no reason to stop. */
export function emitRecord(
  b: PlanBuilder,
  socket: Slot,
  type: keyof typeof TYPES,
  value: Operand,
  descriptor?: Slot,
): void {
  const record = b.words([TYPES[type], 0])
  if (descriptor !== undefined) b.store(4, record, 4, descriptor)
  b.store(4, record, 8, value)
  b.run('sendto', [socket, record, RECORD_SIZE, MSG_NOSIGNAL, 0, 0], {
    tolerate: ['EPIPE', 'ECONNRESET'],
    note: type,
  })
}

const SYNC_ORIGIN = 'sync '

/** The points at which `plan` stops for Node. */
export function syncPoints(plan: Plan): ReadonlySet<string> {
  const points = new Set<string>()
  let last = ''
  // Instructions of one origin stand together and share the string: a look is enough for most.
  for (const { origin } of plan.instructions) {
    if (origin === last) continue
    last = origin
    if (origin.startsWith(SYNC_ORIGIN)) points.add(origin.slice(SYNC_ORIGIN.length))
  }
  return points
}

/** Hands control to Node and waits for its reply, the returned bytes; ends the process when Node is gone. */
export function emitSync(
  b: PlanBuilder,
  report: Slot,
  point: keyof typeof POINTS,
  descriptor?: Slot,
): DataRef {
  return b.at(`${SYNC_ORIGIN}${point}`, () => {
    emitRecord(b, report, 'sync', POINTS[point], descriptor)
    return emitAwaitAnswer(b, report)
  })
}

/** Waits for a record of Node, the returned bytes; ends the process when Node is gone. */
export function emitAwaitAnswer(b: PlanBuilder, report: Slot): DataRef {
  const answer = b.zeros(RECORD_SIZE)
  const received = b.sys('recvfrom', [report, answer, RECORD_SIZE, 0, 0, 0], {
    tolerate: ['ECONNRESET'],
  })
  const goOn = b.label()
  b.branch(received, 'gt', 0, goOn)
  b.exit(EXIT_ABANDONED)
  b.place(goOn)
  return answer
}

/**
 * As {@link emitSync}, under a filter: with write(2) and read(2), which profiles allow that were written for
 * runc. Node takes `descriptor` from this process, by pidfd_getfd(2), before it replies.
 */
export function emitFilteredSync(
  b: PlanBuilder,
  report: Slot,
  point: 'listener',
  descriptor: Operand,
): void {
  b.at(`sync ${point}`, () => {
    const record = b.words([TYPES.sync, POINTS[point]])
    b.store(4, record, 4, descriptor)
    b.run('write', [report, record, RECORD_SIZE], { note: 'sync' })
    const received = b.sys('read', [report, b.zeros(RECORD_SIZE), RECORD_SIZE])
    const goOn = b.label()
    b.branch(received, 'gt', 0, goOn)
    b.exit(EXIT_ABANDONED)
    b.place(goOn)
  })
}
