/** Pipes, and descriptors that go over a socket (unix(7), SCM_RIGHTS). */
import { O_CLOEXEC } from '../linux/open-flags.ts'
import { OwnedFd } from './owned-fd.ts'
import { untilReadable } from './readiness.ts'
import { newBatch, runBatch } from './run-batch.ts'

const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const MSG_NOSIGNAL = 0x4000
const MSG_CMSG_CLOEXEC = 0x40000000
/** CMSG_LEN(sizeof(int)) on 64-bit machines. */
const CMSG_LENGTH = 20

/** Both ends of a new pipe, close-on-exec: reader, writer. */
export function pipePair(): [OwnedFd, OwnedFd] {
  const batch = newBatch()
  const pair = batch.zeros(8)
  batch.run('pipe2', [pair, O_CLOEXEC])
  return ownedPair(runBatch(batch).bytes(pair))
}

/** Waits for one message on `socket` and takes its descriptor; undefined when it brings none. */
export async function receiveDescriptor(socket: number): Promise<OwnedFd | undefined> {
  return (await receiveMessage(socket)).descriptor
}

export interface DescriptorMessage {
  readonly text: string
  readonly descriptor: OwnedFd | undefined
}

/** Waits for one message on `socket`, of at most 256 bytes. */
export async function receiveMessage(socket: number): Promise<DescriptorMessage> {
  await untilReadable(socket)
  const batch = newBatch()
  const text = batch.zeros(256)
  const vector = batch.words([text, text.length])
  const control = batch.zeros(24)
  const header = batch.words([0, 0, vector, 1, control, 24, 0]) // struct msghdr
  const received = batch.sys('recvmsg', [socket, header, MSG_CMSG_CLOEXEC], {
    tolerate: ['ECONNRESET'],
  })
  const result = runBatch(batch)
  const length = result.value(received)
  const bytes = result.bytes(control)
  const isDescriptor =
    length >= 0 &&
    bytes.readUInt32LE(0) >= CMSG_LENGTH &&
    bytes.readInt32LE(8) === SOL_SOCKET &&
    bytes.readInt32LE(12) === SCM_RIGHTS
  return {
    text: result.bytes(text).toString('utf8', 0, Math.max(length, 0)),
    descriptor: isDescriptor ? new OwnedFd(bytes.readInt32LE(16)) : undefined,
  }
}

/** Sends `descriptor` over the connected `socket`, with `text` as the message that carries it. */
export function sendDescriptor(socket: number, descriptor: number, text: string): void {
  const batch = newBatch()
  const bytes = batch.bytes(Buffer.from(text))
  const vector = batch.words([bytes, bytes.length])
  const level = SOL_SOCKET + SCM_RIGHTS * 2 ** 32 // struct cmsghdr {u64 len; i32 level; i32 type; data}
  const control = batch.words([CMSG_LENGTH, level, descriptor])
  const header = batch.words([0, 0, vector, 1, control, 24, 0])
  batch.run('sendmsg', [socket, header, MSG_NOSIGNAL])
  runBatch(batch)
}

/** Sends standard streams over the connected `socket`; false when nobody is there to take them. */
export function sendStreams(socket: number, streams: readonly [number, number, number]): boolean {
  const [input, output, error] = streams
  const batch = newBatch()
  const message = batch.zeros(16)
  const vector = batch.words([message, message.length])
  const level = SOL_SOCKET + SCM_RIGHTS * 2 ** 32
  const control = batch.words([CMSG_LENGTH + 8, level, 0, error])
  batch.store(4, control, 16, input)
  batch.store(4, control, 20, output)
  const header = batch.words([0, 0, vector, 1, control, 32, 0])
  const sent = batch.sys('sendmsg', [socket, header, MSG_NOSIGNAL], {
    tolerate: ['EPIPE', 'ECONNRESET'],
  })
  return runBatch(batch).value(sent) > 0
}

function ownedPair(bytes: Buffer): [OwnedFd, OwnedFd] {
  return [new OwnedFd(bytes.readInt32LE(0)), new OwnedFd(bytes.readInt32LE(4))]
}
