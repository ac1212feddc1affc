/** A socket of another network namespace: Node, with its threads, cannot go there. */
import { SyscallError, TsrunError } from '../errors.ts'
import { errnoName } from '../linux/errno.ts'
import type { Plan } from '../plan/plan.ts'
import { PlanBuilder } from '../plan/plan-builder.ts'
import { startPlan } from './executor.ts'
import { receiveEvent } from './executor-protocol.ts'
import { hostArchitecture } from './library.ts'
import type { OwnedFd } from './owned-fd.ts'
import { receiveDescriptor } from './pass-descriptors.ts'
import { reap, seqpacketPair } from './syscalls.ts'

const CLONE_NEWNET = 0x40000000
const AF_NETLINK = 16
const SOCK_RAW_CLOEXEC = 3 | 0o2000000
const NETLINK_ROUTE = 0
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const CMSG_LENGTH = 20

/** An rtnetlink(7) socket of the network namespace behind the descriptor `namespace`. */
export async function openRouteSocketIn(namespace: number): Promise<OwnedFd> {
  const [ours, theirs] = seqpacketPair()
  using mailbox = ours
  using closing = theirs
  const descriptors = [namespace, theirs.fd]
  using session = startPlan(fetchPlan(), { stdio: [-1, -1, -1], descriptors })
  closing.close()
  const event = await receiveEvent(session.report.fd)
  reap(session.launcher.pidfd.fd, true)
  if (event.type === 'failed')
    throw new SyscallError('entering a network namespace', event.errno, errnoName(event.errno))
  const socket = await receiveDescriptor(mailbox.fd)
  if (socket !== undefined) return socket
  throw new TsrunError('unavailable', 'cannot enter a network namespace: the helper was killed')
}

/** setns, socket, and the socket as SCM_RIGHTS in a message of one byte. */
function fetchPlan(): Plan {
  const b = new PlanBuilder(hostArchitecture())
  b.descriptor('report')
  const namespace = b.descriptor('namespace')
  const mailbox = b.descriptor('mailbox')
  b.run('setns', [namespace, CLONE_NEWNET])
  const socket = b.sys('socket', [AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE])
  const text = b.string('s')
  const vector = b.words([text, 1])
  const control = b.words([CMSG_LENGTH, SOL_SOCKET + SCM_RIGHTS * 2 ** 32, 0])
  b.store(4, control, 16, socket)
  b.run('sendmsg', [mailbox, b.words([0, 0, vector, 1, control, 24, 0]), 0])
  b.exit(0)
  return b.finish()
}
