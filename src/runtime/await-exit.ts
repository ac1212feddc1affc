/** Waits for a supervised process without a thread: the launcher reports its wait status on the socket. */
import { TsrunError } from '../errors.ts'
import type { ExecutorSession } from '../native/executor.ts'
import {
  decodeEvent,
  type ExecutorEvent,
  RECORD_SIZE,
  reapLauncher,
} from '../native/executor-protocol.ts'
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
    for await (const event of eventsOf(session)) {
      if (event.type === 'failed') throw explain(event.pc, event.errno)
      if (event.type === 'exited') return decodeWaitStatus(event.status)
    }
    throw new TsrunError('internal', 'cannot tell how the process ended: its supervisor was killed')
  } finally {
    session[Symbol.dispose]()
    if (session.launcher.pid > 0) reapLauncher(session.launcher.pid)
  }
}

/** A wait in libuv's pool would take one of its four threads for as long as the container lives. */
async function* eventsOf(session: ExecutorSession): AsyncGenerator<ExecutorEvent> {
  const { Socket } = await import('node:net')
  const socket = new Socket({ fd: session.report.release(), readable: true, writable: false })
  let pending = Buffer.alloc(0)
  try {
    for await (const chunk of socket) {
      pending = Buffer.concat([pending, chunk as Buffer])
      for (; pending.length >= RECORD_SIZE; pending = pending.subarray(RECORD_SIZE)) {
        yield decodeEvent(pending.subarray(0, RECORD_SIZE), RECORD_SIZE)
      }
    }
  } finally {
    socket.destroy()
  }
}

/** wait(2)'s status word. */
export function decodeWaitStatus(status: number): ExitStatus {
  const signal = status & 0x7f
  return signal === 0
    ? { exitCode: (status >> 8) & 0xff, signal: 0 }
    : { exitCode: 128 + signal, signal }
}
