/** Waits for a supervised process without a thread: the launcher reports its wait status on the socket. */
import { TsrunError } from '../errors.ts'
import { decodeWaitStatus } from '../linux/wait-status.ts'
import type { ExecutorSession } from '../native/executor.ts'
import { reapLauncher, receiveEvent } from '../native/executor-protocol.ts'
import type { ExitStatus } from '../native/syscalls.ts'

/**
 * How the process ended, once it has. Takes the session over and disposes it. `explain` makes the
 * error for a `failed` report: the exec itself did not work.
 */
export async function awaitExit(
  session: ExecutorSession,
  explain: (pc: number, errno: number) => Error,
): Promise<ExitStatus> {
  try {
    for (;;) {
      const event = await receiveEvent(session.report.fd)
      if (event.type === 'failed') throw explain(event.pc, event.errno)
      if (event.type === 'exited') return decodeWaitStatus(event.status)
      if (event.type !== 'end') continue
      throw new TsrunError(
        'internal',
        'cannot tell how the process ended: its supervisor was killed',
      )
    }
  } finally {
    session[Symbol.dispose]()
    if (session.launcher.pid > 0) reapLauncher(session.launcher.pid)
  }
}
