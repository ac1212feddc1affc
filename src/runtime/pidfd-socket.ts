/** `--pidfd-socket`: hands the caller a pidfd of the process before its program runs, as runc does. */
import { TsrunError } from '../errors.ts'
import type { OwnedFd } from '../native/owned-fd.ts'
import { sendDescriptor } from '../native/pass-descriptors.ts'
import { openProcess, type ProcessIdentity } from './process-liveness.ts'
import { connectUnix } from './unix-socket.ts'

/** Key of the connected socket among the descriptors of a start; no plan has one of this name. */
export const PIDFD_SOCKET = 'pidfd socket'

/** Connects to the listening AF_UNIX stream socket at `path`. Throws `invalid-argument`. */
export function connectPidfdSocket(path: string): OwnedFd {
  try {
    return connectUnix(path, 'stream')
  } catch (cause) {
    throw new TsrunError('invalid-argument', `cannot connect to the pidfd socket "${path}"`, {
      cause,
      hint: 'a stream socket must listen there before the command runs',
    })
  }
}

/** Sends a pidfd of `process` with runc's word for the kind of process: `standard` for init, `setns` for exec. */
export function sendPidfd(
  socket: number,
  process: ProcessIdentity | undefined,
  kind: 'standard' | 'setns',
): void {
  using pidfd = process && openProcess(process.pid, process.startTime)
  if (pidfd === undefined)
    throw new TsrunError('internal', 'cannot send a pidfd: the process has ended')
  sendDescriptor(socket, pidfd.fd, kind)
}
