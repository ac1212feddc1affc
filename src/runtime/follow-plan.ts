/** Node's half of the conversation in src/native/executor-protocol.ts, up to the moment when init is ready. */
import type { ExecutorSession } from '../native/executor.ts'
import {
  type ExecutorEvent,
  receiveEvent,
  receiveEventSync,
  reply,
  type SyncPoint,
} from '../native/executor-protocol.ts'
import { trySyscall } from '../native/syscalls.ts'

export interface PlanHandlers {
  /** Told as soon as it is known, before any sync is answered. The process may have ended already. */
  pid?(pid: number): void
  /** What Node does at each sync before it lets the plan go on; `descriptor` as in ExecutorEvent. */
  sync(point: SyncPoint, pid: number, descriptor: number): Promise<void> | void
  /**
   * The answer to `ready` goes out with the pid, before the question: the plan need not wait for us.
   * Only for a plan that has no sync before `ready`. What must precede the program is done in `pid`.
   */
  readonly answersAhead?: boolean
  /** Waits block this thread, however long they take. */
  readonly waitsInPlace?: boolean
  /** The error for an event that ends the plan too early. */
  failure(event: ExecutorEvent): Error
}

/**
 * Follows the plan until it is `ready` and was told to go on; the result is the pid of its process.
 * Launcher and process report each for itself: a sync can come before the pid that it needs.
 */
export async function followPlan(
  session: ExecutorSession,
  handlers: PlanHandlers,
  signal?: AbortSignal,
): Promise<number> {
  const fd = session.report.fd
  using _abort = shutDownOnAbort(fd, signal)
  let pid: number | undefined
  let waiting: Extract<ExecutorEvent, { type: 'sync' }> | undefined
  for (;;) {
    const event = handlers.waitsInPlace === true ? receiveEventSync(fd) : await receiveEvent(fd)
    signal?.throwIfAborted()
    if (event.type === 'pid') {
      pid = event.pid
      handlers.pid?.(pid)
      // A plan that has failed by now says so next.
      if (handlers.answersAhead === true) reply(fd, pid)
    } else if (event.type === 'sync') waiting = event
    else throw handlers.failure(event)
    if (pid === undefined || waiting === undefined) continue
    await handlers.sync(waiting.point, pid, waiting.descriptor)
    signal?.throwIfAborted()
    if (handlers.answersAhead !== true && !reply(fd, pid)) throw handlers.failure({ type: 'end' })
    if (waiting.point === 'ready') return pid
    waiting = undefined
  }
}

/** A socket that is shut down ends our wait and the plan's at once (shutdown(2)). */
function shutDownOnAbort(fd: number, signal: AbortSignal | undefined): Disposable {
  const SHUT_RDWR = 2
  const listener = (): void => {
    trySyscall('shutdown', [fd, SHUT_RDWR])
  }
  if (signal?.aborted === true) listener()
  signal?.addEventListener('abort', listener, { once: true })
  return { [Symbol.dispose]: () => signal?.removeEventListener('abort', listener) }
}
