/** AF_UNIX sockets at paths of any length: addressed through /proc/self/fd/<directory> (unix(7): 108 bytes). */
import { constants, openSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { OwnedFd } from '../native/owned-fd.ts'
import { newBatch, runBatch } from '../native/run-batch.ts'
import { syscall } from '../native/syscalls.ts'
import type { DataRef } from '../plan/instruction.ts'

const AF_UNIX = 1
const SOCK_STREAM = 1
const SOCK_SEQPACKET = 5
const SOCK_CLOEXEC = 0o2000000

export type SocketKind = 'stream' | 'seqpacket'

/** A socket that listens at `path`. */
export function listenUnix(path: string, kind: SocketKind): OwnedFd {
  return withAddress(path, kind, (batch, socket, address, length) => {
    batch.run('bind', [socket, address, length])
    batch.run('listen', [socket, 8])
  })
}

/** A socket connected to `path`. Throws SyscallError `ECONNREFUSED` when nobody listens. */
export function connectUnix(path: string, kind: SocketKind): OwnedFd {
  return withAddress(path, kind, (batch, socket, address, length) => {
    batch.run('connect', [socket, address, length])
  })
}

type Batch = ReturnType<typeof newBatch>

function withAddress(
  path: string,
  kind: SocketKind,
  emit: (batch: Batch, socket: number, address: DataRef, length: number) => void,
): OwnedFd {
  using directory = new OwnedFd(openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY))
  const type = (kind === 'stream' ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC
  const name = Buffer.from(`\0\0/proc/self/fd/${directory.fd}/${basename(path)}\0`)
  name.writeUInt16LE(AF_UNIX, 0)
  const socket = new OwnedFd(syscall('socket', [AF_UNIX, type, 0]))
  try {
    const batch = newBatch()
    batch.at(path, () => emit(batch, socket.fd, batch.bytes(name), name.length))
    runBatch(batch)
    return socket
  } catch (error) {
    socket.close()
    throw error
  }
}
