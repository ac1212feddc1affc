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

/** What the agent says to each call: an errno, or to let it go on. */
export type Answer = { readonly errno: number } | 'continue'

export interface SeccompAgent extends AsyncDisposable {
  readonly path: string
  /** The documents that came with the listeners, in order. */
  readonly documents: readonly Record<string, unknown>[]
  /** How many system calls it answered. */
  readonly answered: number
}

/** Answers every reported call with `answer` until it is disposed. */
export function startSeccompAgent(answer: Answer): SeccompAgent {
  const directory = mkdtempSync(join(tmpdir(), 'tsrun-agent-'))
  const path = join(directory, 'agent.sock')
  const socket = listenUnix(path, 'stream')
  const documents: Record<string, unknown>[] = []
  const open: OwnedFd[] = []
  let answered = 0
  let isStopped = false
  const serve = async (listener: OwnedFd): Promise<void> => {
    while ((await untilReadable(listener.fd)) && !isStopped) {
      if (!answerOne(listener.fd, answer)) return
      answered += 1
    }
  }
  const accept = async (): Promise<void> => {
    while ((await untilReadable(socket.fd)) && !isStopped) {
      const { document, listener } = takeListener(socket.fd)
      documents.push(document)
      open.push(listener)
      void serve(listener)
    }
  }
  void accept()
  return {
    path,
    documents,
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

function takeListener(socket: number) {
  const batch = newBatch()
  const text = batch.zeros(65536)
  const control = batch.zeros(24)
  const message = batch.words([0, 0, batch.words([text, text.length]), 1, control, 24, 0])
  const connection = batch.sys('accept4', [socket, 0, 0, SOCK_CLOEXEC])
  const length = batch.sys('recvmsg', [connection, message, 0x40000000])
  batch.run('close', [connection])
  const result = runBatch(batch)
  const document = JSON.parse(result.bytes(text).subarray(0, result.value(length)).toString())
  return { document, listener: new OwnedFd(result.bytes(control).readInt32LE(16)) }
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
