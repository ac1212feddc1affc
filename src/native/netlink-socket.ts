/** Requests over an rtnetlink(7) socket, each with its whole answer. */
import { SyscallError } from '../errors.ts'
import { errnoName } from '../linux/errno.ts'
import {
  decodeMessages,
  encodeRequest,
  endOfAnswer,
  type NetlinkMessage,
  type NetlinkRequest,
  NLM_F_ACK,
  NLM_F_DUMP,
} from '../linux/netlink-message.ts'
import { OwnedFd } from './owned-fd.ts'
import { newBatch, runBatch } from './run-batch.ts'
import { syscall } from './syscalls.ts'

const AF_NETLINK = 16
const SOCK_RAW_CLOEXEC = 3 | 0o2000000
const NETLINK_ROUTE = 0
const NETLINK_NETFILTER = 12
const IFREQ_SIZE = 40 // struct ifreq: char name[16], then a union with the index
const IFNAMSIZ = 16
const SIOCGIFINDEX = 0x8933
const MSG_TRUNC = 0x20
/** The kernel's datagrams of a dump are at most 32 KiB (NLMSG_GOODSIZE and net/netlink/af_netlink.c). */
const DUMP_SIZE = 65_536
/** Room for one message about a link with its statistics, or for an errno. */
const ANSWER_SIZE = 8192

let lastSequence = 0

/** A socket of the network namespace that this process is in. */
export function openRouteSocket(): OwnedFd {
  return new OwnedFd(syscall('socket', [AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE]))
}

/** A socket for nf_tables of the network namespace that this process is in. */
export function openNetfilterSocket(): OwnedFd {
  return new OwnedFd(syscall('socket', [AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_NETFILTER]))
}

/**
 * Sends `request` and reads the answer, which the kernel has ready at once. Throws SyscallError with the
 * errno that the kernel answered, `what` standing for the system call.
 */
export function askKernel(
  socket: number,
  request: NetlinkRequest,
  what: string,
): readonly NetlinkMessage[] {
  lastSequence += 1
  const sequence = lastSequence
  const send = newBatch()
  const bytes = encodeRequest(request, sequence)
  send.run('sendto', [socket, send.bytes(bytes), bytes.length, 0, 0, 0])
  runBatch(send)
  const messages: NetlinkMessage[] = []
  const size = (request.flags & NLM_F_DUMP) === NLM_F_DUMP ? DUMP_SIZE : ANSWER_SIZE
  for (;;) {
    for (const message of receive(socket, size)) {
      // What is left of an answer that nobody read to its end is not ours.
      if (message.sequence !== sequence) continue
      const errno = endOfAnswer(message)
      if (errno === 0) return messages
      if (errno !== undefined) throw new SyscallError(what, errno, errnoName(errno))
      messages.push(message)
    }
  }
}

/**
 * Sends `requests` in one datagram, which the kernel works off in order, and waits until it has acknowledged the
 * last that asks for that. Throws SyscallError with the first errno. The socket is good for nothing
 * else after a failure: answers to later requests may be left in it.
 */
export function askKernelAll(
  socket: number,
  requests: readonly NetlinkRequest[],
  what: (index: number) => string,
): void {
  const last = requests.findLastIndex(({ flags }) => (flags & NLM_F_ACK) !== 0)
  if (last < 0) throw new RangeError('no request asks for an answer')
  const first = lastSequence + 1
  lastSequence += requests.length
  const bytes = Buffer.concat(requests.map((request, i) => encodeRequest(request, first + i)))
  const send = newBatch()
  send.run('sendto', [socket, send.bytes(bytes), bytes.length, 0, 0, 0])
  runBatch(send)
  for (;;) {
    for (const message of receive(socket, ANSWER_SIZE)) {
      const index = message.sequence - first
      const errno = endOfAnswer(message)
      if (index < 0 || index >= requests.length || errno === undefined) continue
      if (errno !== 0) throw new SyscallError(what(index), errno, errnoName(errno))
      if (index === last) return
    }
  }
}

/** The index of a link, by an ioctl that waits for nobody who is changing links (netdevice(7)); undefined for none. */
export function linkIndexOf(socket: number, name: string): number | undefined {
  const bytes = Buffer.alloc(IFREQ_SIZE)
  if (Buffer.byteLength(name) >= IFNAMSIZ) return undefined
  bytes.write(name)
  const batch = newBatch()
  const request = batch.bytes(bytes)
  const found = batch.sys('ioctl', [socket, SIOCGIFINDEX, request], { tolerate: ['ENODEV'] })
  const result = runBatch(batch)
  return result.value(found) < 0 ? undefined : result.bytes(request).readInt32LE(IFNAMSIZ)
}

function receive(socket: number, size: number): readonly NetlinkMessage[] {
  const batch = newBatch()
  const buffer = batch.zeros(size)
  const length = batch.sys('recvfrom', [socket, buffer, size, MSG_TRUNC, 0, 0])
  const result = runBatch(batch)
  const received = result.value(length)
  if (received > size) throw new RangeError(`a netlink message of ${received} bytes`)
  return decodeMessages(result.bytes(buffer).subarray(0, received))
}
