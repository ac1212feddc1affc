/** Starts tsrun-init on a plan and talks to it over the report socket. */
import { readFileSync } from 'node:fs'
import { errnoCodeOf, SyscallError, TsrunError } from '../errors.ts'
import { errnoName } from '../linux/errno.ts'
import type { Plan } from '../plan/plan.ts'
import { encodePlan } from '../plan/wire-format.ts'
import { timed } from '../util/timings.ts'
import { nativeLibrary, nativePart } from './library.ts'
import { OwnedFd } from './owned-fd.ts'
import { sealedMemfd, streamPair } from './syscalls.ts'

const MAX_DESCRIPTORS = 256
const REQUEST_HEADER = 24
const REQUEST_SIZE = REQUEST_HEADER + MAX_DESCRIPTORS * 4 + 4096

/** A child that libtsrun started. */
export interface Child {
  readonly pid: number
  readonly pidfd: OwnedFd
}

/** A started plan: the launcher process and our end of its report socket. */
export interface ExecutorSession extends Disposable {
  readonly plan: Plan
  readonly launcher: Child
  readonly report: OwnedFd
}

export interface StartOptions {
  /** Become 0, 1 and 2 of the executed process. */
  readonly stdio: readonly [number, number, number]
  /** Become 3, 4, … of the executed process (--preserve-fds). */
  readonly preserved?: readonly number[]
  /** One for each of `plan.descriptors` after the first (`report`), in that order. */
  readonly descriptors: readonly number[]
  /** Bytes of memory that the launcher has ready for longer plans before it begins. */
  readonly memory?: number
}

const executables = new Map<string, OwnedFd>()

/**
 * A sealed in-memory copy of a native executable: no container can reach a writable runtime binary
 * through /proc/<pid>/exe (CVE-2019-5736).
 */
export function sealedExecutable(name: string): OwnedFd {
  let fd = executables.get(name)
  if (fd === undefined) {
    fd = executableMemfd(name, nativePart(name))
    executables.set(name, fd)
  }
  return fd
}

function executableMemfd(name: string, content: Uint8Array): OwnedFd {
  try {
    return sealedMemfd(name, content, true)
  } catch (cause) {
    if (errnoCodeOf(cause) !== 'EACCES' || !forbidsExecutableMemfds()) throw cause
    throw new TsrunError('failed-precondition', `cannot start ${name}: vm.memfd_noexec is 2`, {
      cause,
      hint: 'run sysctl vm.memfd_noexec=1: tsrun runs its native parts from sealed memory, so that no container can change them',
    })
  }
}

// Documentation/admin-guide/sysctl/vm.rst: at 2 every memfd_create(MFD_EXEC) fails, since 6.3.
function forbidsExecutableMemfds(): boolean {
  try {
    return readFileSync('/proc/sys/vm/memfd_noexec', 'utf8').trim() === '2'
  } catch {
    // No such sysctl, or no /proc: another reason.
    return false
  }
}

/** Starts `plan` in a new tsrun-init. Dispose the session to close the socket and the pidfd. */
export function startPlan(plan: Plan, options: StartOptions): ExecutorSession {
  // A stream, so that libuv can wait on it; each record is one write, which AF_UNIX keeps whole.
  const [ours, theirs] = streamPair()
  using closing = theirs
  try {
    const launcher = startLauncher(plan, options, closing)
    return {
      plan,
      launcher,
      report: ours,
      [Symbol.dispose]() {
        ours.close()
        launcher.pidfd.close()
      },
    }
  } catch (error) {
    ours.close()
    throw error
  }
}

function startLauncher(plan: Plan, options: StartOptions, report: OwnedFd): Child {
  using image = sealedMemfd(
    'tsrun-plan',
    timed('compile', () => encodePlan(plan)),
    false,
  )
  const preserved = options.preserved ?? []
  return startExecutable(
    sealedExecutable('tsrun-init').fd,
    [
      'tsrun-init',
      String(3 + preserved.length),
      ...(options.memory === undefined ? [] : [String(options.memory)]),
    ],
    [...options.stdio, ...preserved, image.fd, report.fd, ...options.descriptors],
    report.fd,
  )
}

/**
 * Starts the executable behind `executable` with exactly `descriptors` as 0, 1, 2, … (-1 leaves a
 * number closed), default signal dispositions and an empty environment. With a `report`
 * socket this process does not wait for the exec; the other end of the socket hears of its failure.
 */
export function startExecutable(
  executable: number,
  args: readonly string[],
  descriptors: readonly number[],
  report = -1,
): Child {
  const request = Buffer.alloc(REQUEST_SIZE)
  const strings = Buffer.from(args.map((arg) => `${arg}\0`).join(''))
  request.writeInt32LE(executable, 0)
  request.writeUInt32LE(descriptors.length, 8)
  request.writeUInt32LE(args.length, 12)
  request.writeUInt32LE(strings.length, 16)
  request.writeInt32LE(report, 20)
  descriptors.slice(0, MAX_DESCRIPTORS).forEach((fd, i) => {
    request.writeInt32LE(fd, REQUEST_HEADER + i * 4)
  })
  strings.copy(request, REQUEST_HEADER + MAX_DESCRIPTORS * 4)
  const pid = nativeLibrary().spawn(request)
  if (pid < 0) throw new SyscallError('execveat', -pid, errnoName(-pid), args[0])
  return { pid, pidfd: new OwnedFd(request.readInt32LE(4)) }
}
