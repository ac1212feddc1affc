/** The network namespace of a container that runs, for those who change it from outside. */
import { constants, openSync } from 'node:fs'
import { openRouteSocketIn } from '../../native/open-socket-in.ts'
import { OwnedFd } from '../../native/owned-fd.ts'
import { pidfdOpen } from '../../native/syscalls.ts'
import { findLink } from '../../network/links.ts'
import { isAlive } from '../../runtime/process-liveness.ts'
import type { ContainerRecord } from '../container-record.ts'
import type { Inside } from './join-networks.ts'

export interface RunningNetwork extends Inside, Disposable {}

/** Undefined when the container has no process (any more). */
export async function openRunningNetwork({
  state: { pid = 0, startTime = 0 },
}: ContainerRecord): Promise<RunningNetwork | undefined> {
  const pidfd = pidfdOpen(pid)
  if (pidfd === undefined || !isAlive(pid, startTime)) {
    pidfd?.close()
    return undefined
  }
  const namespace = new OwnedFd(openSync(`/proc/${pid}/ns/net`, constants.O_RDONLY))
  try {
    // The number may have become another's before the file was opened.
    if (!isAlive(pid, startTime)) throw new RangeError('the container has just ended')
    const socket = await openRouteSocketIn(namespace.fd)
    return {
      namespace: namespace.fd,
      socket: socket.fd,
      process: pidfd.fd,
      [Symbol.dispose]() {
        socket.close()
        pidfd.close()
        namespace.close()
      },
    }
  } catch (error) {
    pidfd.close()
    namespace.close()
    throw error
  }
}

/** The first `ethN` that is not there. */
export function freeInterface(socket: number): string {
  let i = 0
  while (findLink(socket, `eth${i}`) !== undefined) i += 1
  return `eth${i}`
}
