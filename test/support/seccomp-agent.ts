/** A seccomp agent: takes listeners at a socket and answers the system calls that they report (seccomp_unotify(2)). */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { OwnedFd } from '../../src/native/owned-fd.ts'
import { untilReadable } from '../../src/native/readiness.ts'
import { newBatch, runBatch } from '../../src/native/run-batch.ts'
import { listenUnix } from '../../src/runtime/unix-socket.ts'

const SECCOMP_IOCTL_NOTIF_RECV = 0xc050_2100
const SECCOMP_IOCTL_NOTIF_SEND = 0xc018_2101
const NOTIFICATION_SIZE = 80 // struct seccomp_notif
const SECCOMP_USER_NOTIF_FLAG_CONTINUE = 1
const SOCK_CLOEXEC = 0o2000000
const MSG_CMSG_CLOEXEC = 0x40000000
const CMSG_HEADER_SIZE = 16

/** What the agent says to each call: an errno, or to let it go on. */
export type Answer = { readonly errno: number } | 'continue'

export interface AgentConnection {
  /** How many descriptors came with the first byte, and how many with all that follow. */
  readonly descriptors: readonly [first: number, later: number]
  /** The runtime closed its end, rather than to keep it open for ever. */
  readonly isClosed: boolean
}

export interface SeccompAgent extends AsyncDisposable {
  readonly path: string
  /** The documents that came with the listeners, in order. */
  readonly documents: readonly Record<string, unknown>[]
  /** What came through each connection, in order. */
  readonly connections: readonly AgentConnection[]
  /** How many system calls it answered. */
  readonly answered: number
}

/** Answers every reported call with `answer` until it is disposed. */
export function startSeccompAgent(answer: Answer): SeccompAgent {
  const directory = mkdtempSync(join(tmpdir(), 'tsrun-agent-'))
  const path = join(directory, 'agent.sock')
  const socket = listenUnix(path, 'stream')
  const connections: Received[] = []
  const open: OwnedFd[] = []
  let answered = 0
  let isStopped = false
  const serve = async (listener: OwnedFd): Promise<void> => {
    while ((await untilReadable(listener.fd)) && !isStopped) {
      if (!answerOne(listener.fd, answer)) return
      answered += 1
    }
  }
  const receiveFrom = async (connection: OwnedFd): Promise<void> => {
    const seen: Received = { bytes: Buffer.alloc(0), descriptors: [0, 0], isClosed: false }
    connections.push(seen)
    while (!seen.isClosed && (await untilReadable(connection.fd)) && !isStopped) {
      const listener = receiveInto(seen, connection.fd)
      if (listener === undefined) continue
      open.push(listener)
      void serve(listener)
    }
  }
  const accept = async (): Promise<void> => {
    while ((await untilReadable(socket.fd)) && !isStopped) {
      const batch = newBatch()
      const accepted = batch.sys('accept4', [socket.fd, 0, 0, SOCK_CLOEXEC])
      const connection = new OwnedFd(runBatch(batch).value(accepted))
      open.push(connection)
      void receiveFrom(connection)
    }
  }
  void accept()
  return {
    path,
    connections,
    get documents() {
      // JSON.parse() takes one document, and nothing behind it.
      return connections.map(({ bytes }) => JSON.parse(bytes.toString()))
    },
    get answered() {
      return answered
    },
    async [Symbol.asyncDispose]() {
      isStopped = true
      for (const fd of [socket, ...open]) fd.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

interface Received {
  bytes: Buffer
  descriptors: [first: number, later: number]
  isClosed: boolean
}

/** Takes the next bytes of a connection, the first one by itself; the descriptor that came with them. */
function receiveInto(seen: Received, connection: number): OwnedFd | undefined {
  const isFirst = seen.bytes.length === 0
  const { bytes, descriptors } = receive(connection, isFirst ? 1 : 65536)
  seen.isClosed = bytes.length === 0
  seen.bytes = Buffer.concat([seen.bytes, bytes])
  seen.descriptors[isFirst ? 0 : 1] += descriptors.length
  return descriptors[0] === undefined ? undefined : new OwnedFd(descriptors[0])
}

/** One recvmsg(2): what came, and the descriptors with it (SCM_RIGHTS, cmsg(3)). */
function receive(connection: number, size: number) {
  const batch = newBatch()
  const text = batch.zeros(size)
  const control = batch.zeros(64)
  const message = batch.words([0, 0, batch.words([text, size]), 1, control, 64, 0])
  const length = batch.sys('recvmsg', [connection, message, MSG_CMSG_CLOEXEC])
  const result = runBatch(batch)
  const header = result.bytes(control)
  const count = Math.max(0, header.readUInt32LE(0) - CMSG_HEADER_SIZE) / 4
  return {
    bytes: Buffer.from(result.bytes(text).subarray(0, result.value(length))),
    descriptors: Array.from({ length: count }, (_, i) =>
      header.readInt32LE(CMSG_HEADER_SIZE + 4 * i),
    ),
  }
}

/** False when the filter has no processes left (ENOENT), or the call was given up meanwhile. */
function answerOne(listener: number, answer: Answer): boolean {
  const receive = newBatch()
  const notification = receive.zeros(NOTIFICATION_SIZE)
  const received = receive.sys('ioctl', [listener, SECCOMP_IOCTL_NOTIF_RECV, notification], {
    tolerate: ['ENOENT'],
  })
  const result = runBatch(receive)
  if (result.value(received) < 0) return false
  const response = Buffer.alloc(24) // struct seccomp_notif_resp: id, val, error, flags
  result.bytes(notification).copy(response, 0, 0, 8)
  if (answer === 'continue') response.writeUInt32LE(SECCOMP_USER_NOTIF_FLAG_CONTINUE, 20)
  else response.writeInt32LE(-answer.errno, 16)
  const send = newBatch()
  send.run('ioctl', [listener, SECCOMP_IOCTL_NOTIF_SEND, send.bytes(response)], {
    tolerate: ['ENOENT'],
  })
  runBatch(send)
  return true
}
