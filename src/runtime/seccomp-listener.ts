/** Hands the descriptor of a seccomp filter with SCMP_ACT_NOTIFY to the agent at listenerPath (config-linux.md "Seccomp"). */
import { readlinkSync } from 'node:fs'
import { TsrunError } from '../errors.ts'
import { type ExecutorEvent, receiveEvent, reply } from '../native/executor-protocol.ts'
import type { OwnedFd } from '../native/owned-fd.ts'
import { newBatch, runBatchAsync } from '../native/run-batch.ts'
import { pidfdGetfd, trySyscall } from '../native/syscalls.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { descriptorMessage } from '../plan/compile/kernel-structs.ts'
import { usesListener } from '../seccomp/uses-listener.ts'
import type { HookState } from './hooks.ts'
import { openProcess, type ProcessIdentity } from './process-liveness.ts'
import { connectUnix } from './unix-socket.ts'

const MSG_NOSIGNAL = 0x4000
const SIGKILL = 9
const LISTENER = 'anon_inode:seccomp notify'

/** The conversation with a process that has passed its start gate. */
export interface FilteredProcess {
  /** Our end of the socket that it reports to. */
  readonly report: number
  /** Undefined when it ended before it could be told from others. */
  readonly process: ProcessIdentity | undefined
  readonly config: RuntimeConfig
  /** The state document of its container. */
  readonly state: HookState
  /** The error for an event that ends the plan instead. */
  failure(event: ExecutorEvent): Promise<Error> | Error
}

/**
 * Waits until the process has installed its filter, and sees to it that the agent gets the listener before
 * the process goes on: from then on the agent answers for its system calls. Nothing to do without one.
 * A process whose listener cannot be handed over is killed: nothing else could end its wait.
 */
export async function handOverListener(filtered: FilteredProcess): Promise<void> {
  const { report, process } = filtered
  const seccomp = filtered.config.linux?.seccomp
  if (!usesListener(seccomp)) return
  const event = await receiveEvent(report)
  if (event.type !== 'sync' || event.point !== 'listener') throw await filtered.failure(event)
  using pidfd = process && openProcess(process.pid, process.startTime)
  if (process === undefined || pidfd === undefined) throw await filtered.failure({ type: 'end' })
  try {
    using listener = takeListener(pidfd, event.descriptor)
    await send(seccomp?.listenerPath ?? '', documentOf(filtered, process.pid), listener)
  } catch (error) {
    trySyscall('pidfd_send_signal', [pidfd.fd, SIGKILL, 0, 0])
    throw error
  }
  reply(report)
}

/** ContainerProcessState. */
function documentOf({ config, state }: FilteredProcess, pid: number): string {
  const metadata = config.linux?.seccomp?.listenerMetadata
  return JSON.stringify({
    ociVersion: state.ociVersion,
    fds: ['seccompFd'],
    pid,
    ...(metadata === undefined ? {} : { metadata }),
    state,
  })
}

/** A copy of a descriptor of the process, by pidfd_getfd(2): its filter may not let it send one. */
function takeListener(pidfd: OwnedFd, number: number): OwnedFd {
  const taken = pidfdGetfd(pidfd.fd, number)
  const what = readlinkSync(`/proc/self/fd/${taken.fd}`)
  if (what === LISTENER) return taken
  taken.close()
  throw new TsrunError('internal', `cannot hand over "${what}": it is no seccomp listener`)
}

// One message: the descriptor must come with the first byte, and the stream keeps the rest in order.
async function send(path: string, document: string, listener: OwnedFd): Promise<void> {
  try {
    using socket = connectUnix(path, 'stream')
    const batch = newBatch()
    const message = descriptorMessage(batch, document, listener.fd)
    batch.run('sendmsg', [socket.fd, message, MSG_NOSIGNAL])
    await runBatchAsync(batch)
  } catch (cause) {
    // runc's words, which callers match.
    throw new TsrunError('unavailable', `failed to connect with seccomp agent at "${path}"`, {
      cause,
      hint: 'start the agent that linux.seccomp.listenerPath names before the container',
    })
  }
}
