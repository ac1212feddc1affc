/** Typed single system calls for Node: quick, process-wide and non-forking ones only. */
import { writeSync } from 'node:fs'
import { SyscallError } from '../errors.ts'
import { errnoName } from '../linux/errno.ts'
import { syscallNumber } from '../linux/syscall-numbers.ts'
import { hostArchitecture, nativeLibrary } from './library.ts'
import { OwnedFd } from './owned-fd.ts'
import { newBatch, runBatch } from './run-batch.ts'

const LOCK_SH = 1 // sys/file.h
const LOCK_EX = 2
const LOCK_NB = 4
const LOCK_UN = 8
const P_PIDFD = 3 // linux/wait.h
const WNOHANG = 1
const WEXITED = 4

/** Makes a system call whose operands are numbers; throws {@link SyscallError} on failure. */
export function syscall(name: string, args: readonly number[] = [], path?: string): number {
  const result = trySyscall(name, args)
  if (result < 0) throw new SyscallError(name, -result, errnoName(-result), path)
  return result
}

/** As {@link syscall}, but returns -errno. */
export function trySyscall(name: string, args: readonly number[] = []): number {
  const number = syscallNumber(hostArchitecture(), name)
  if (number === undefined) throw new RangeError(`unknown system call ${name}`)
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = args
  return nativeLibrary().syscall(number, a, b, c, d, e, f)
}

/** pidfd_open(2), or undefined when there is no such process. */
export function pidfdOpen(pid: number): OwnedFd | undefined {
  const result = trySyscall('pidfd_open', [pid, 0])
  if (result >= 0) return new OwnedFd(result)
  if (errnoName(-result) === 'ESRCH' || errnoName(-result) === 'EINVAL') return undefined
  throw new SyscallError('pidfd_open', -result, errnoName(-result), String(pid))
}

/** A copy of descriptor `number` of the process (pidfd_getfd(2)). */
export function pidfdGetfd(pidfd: number, number: number): OwnedFd {
  return new OwnedFd(syscall('pidfd_getfd', [pidfd, number, 0]))
}

/** pidfd_send_signal(2). Throws with code `ESRCH` when the process has ended. */
export function pidfdSendSignal(pidfd: number, signal: number): void {
  syscall('pidfd_send_signal', [pidfd, signal, 0, 0])
}

/** Whether the process behind `pidfd` has ended: a pidfd polls readable then (pidfd_open(2)). */
export function hasEnded(pidfd: number): boolean {
  return waitReadable(pidfd, 0)
}

/** Waits until `fd` is readable, at most `timeoutMs` (-1: for ever), blocking this thread. */
export function waitReadable(fd: number, timeoutMs: number): boolean {
  const batch = newBatch()
  const result = batch.sys('ppoll', pollOperands(batch, fd, timeoutMs))
  return runBatch(batch).value(result) > 0
}

/** Operands of ppoll(2) for one descriptor and POLLIN. */
export function pollOperands(batch: ReturnType<typeof newBatch>, fd: number, timeoutMs: number) {
  const POLLIN = 1
  const polled = batch.zeros(8)
  batch.store(4, polled, 0, fd)
  batch.store(2, polled, 4, POLLIN)
  const timeout = batch.words([Math.floor(timeoutMs / 1000), (timeoutMs % 1000) * 1_000_000])
  return [polled, 1, timeoutMs < 0 ? 0 : timeout, 0, 8]
}

/** Takes flock(2) on `fd`; false when `wait` is false and another holds it. */
export function flock(fd: number, mode: 'shared' | 'exclusive', wait: boolean): boolean {
  const operation = (mode === 'shared' ? LOCK_SH : LOCK_EX) | (wait ? 0 : LOCK_NB)
  const result = trySyscall('flock', [fd, operation])
  if (result >= 0) return true
  if (errnoName(-result) === 'EAGAIN') return false
  throw new SyscallError('flock', -result, errnoName(-result))
}

/** Releases flock(2) on `fd`. */
export function funlock(fd: number): void {
  syscall('flock', [fd, LOCK_UN])
}

/** How a child ended. */
export interface ExitStatus {
  readonly exitCode: number
  /** The signal number that killed it, 0 when it exited by itself. */
  readonly signal: number
}

/** Reaps our own child behind `pidfd`; undefined when it still runs and `wait` is false (waitid(2)). */
export function reap(pidfd: number, wait: boolean): ExitStatus | undefined {
  const CLD_EXITED = 1
  const batch = newBatch()
  const info = batch.zeros(128)
  batch.run('waitid', [P_PIDFD, pidfd, info, WEXITED | (wait ? 0 : WNOHANG), 0])
  const bytes = runBatch(batch).bytes(info)
  const code = bytes.readInt32LE(8)
  const status = bytes.readInt32LE(24)
  if (code === 0) return undefined
  return code === CLD_EXITED
    ? { exitCode: status, signal: 0 }
    : { exitCode: 128 + status, signal: status }
}

/** A new memfd with `content`, sealed against every change (memfd_create(2), F_ADD_SEALS). */
export function sealedMemfd(name: string, content: Uint8Array, executable: boolean): OwnedFd {
  const memfd = emptyMemfd(name, executable)
  try {
    fillMemfd(memfd.fd, content)
  } catch (error) {
    memfd.close()
    throw error
  }
  return memfd
}

/** A file in memory to be filled once, by {@link fillMemfd}. */
export function emptyMemfd(name: string, executable: boolean): OwnedFd {
  const MFD_CLOEXEC = 1
  const MFD_ALLOW_SEALING = 2
  const MFD_NOEXEC_SEAL = 8 // since 6.3; older kernels answer EINVAL
  const MFD_EXEC = 16
  const batch = newBatch()
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING
  const label = batch.string(name)
  const fd = batch.sys('memfd_create', [label, flags | (executable ? MFD_EXEC : MFD_NOEXEC_SEAL)], {
    tolerate: ['EINVAL'],
  })
  const made = batch.label()
  batch.branch(fd, 'ge', 0, made)
  batch.sys('memfd_create', [label, flags], { into: fd })
  batch.place(made)
  return new OwnedFd(runBatch(batch).value(fd))
}

/** Writes `content` into the empty `fd` of {@link emptyMemfd} and forbids every further change. */
export function fillMemfd(fd: number, content: Uint8Array): void {
  const F_ADD_SEALS = 1033
  const ALL_SEALS = 15 // F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE
  // RLIMIT_FSIZE cuts a write short before it fails one: only a whole copy may be sealed.
  for (let done = 0; done < content.length; ) done += writeSync(fd, content, done)
  syscall('fcntl', [fd, F_ADD_SEALS, ALL_SEALS])
}

/** A connected pair of AF_UNIX SOCK_SEQPACKET sockets, close-on-exec: record boundaries are kept. */
export function seqpacketPair(): [OwnedFd, OwnedFd] {
  const SOCK_SEQPACKET = 5
  return socketPair(SOCK_SEQPACKET)
}

/** A connected pair of AF_UNIX SOCK_STREAM sockets, close-on-exec: the only kind that Node can poll. */
export function streamPair(): [OwnedFd, OwnedFd] {
  const SOCK_STREAM = 1
  return socketPair(SOCK_STREAM)
}

function socketPair(type: number): [OwnedFd, OwnedFd] {
  const AF_UNIX = 1
  const SOCK_CLOEXEC = 0o2000000
  const batch = newBatch()
  const pair = batch.zeros(8)
  batch.run('socketpair', [AF_UNIX, type | SOCK_CLOEXEC, 0, pair])
  const bytes = runBatch(batch).bytes(pair)
  return [new OwnedFd(bytes.readInt32LE(0)), new OwnedFd(bytes.readInt32LE(4))]
}
