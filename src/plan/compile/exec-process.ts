/** Finds the program, waits at the start gate, and becomes it (execve(2)). */
import {
  AT_EACCESS,
  AT_EMPTY_PATH,
  AT_FDCWD,
  O_CLOEXEC,
  O_PATH,
  S_IFDIR,
} from '../../linux/open-flags.ts'
import type { CompileOptions } from '../compile-options.ts'
import type { Slot } from '../instruction.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import type { ProcessContext } from './create-context.ts'
import { fileTypeOf } from './path-in-root.ts'
import { emitRecord } from './report-records.ts'

const EACCES = 13
const EINVAL = 22
const X_OK = 1
const SOCK_CLOEXEC = 0o2000000
const POLLIN = 1
const SIG_BLOCK = 0
const SIG_SETMASK = 2
const SIGSET_SIZE = 8
const SIGNALFD_SIGINFO_SIZE = 128
/** SIGHUP, SIGINT, SIGQUIT, SIGTERM: what a waiting init of runc ends for. */
const ENDING_SIGNALS = [1, 2, 3, 15]
const CLOSE_RANGE_CLOEXEC = 4

/** The paths that execvp(3) would try for `args[0]` with the PATH of `env`. */
export function executableCandidates(
  args: readonly string[],
  env: readonly string[],
): readonly string[] {
  const name = args[0] ?? ''
  if (name.includes('/')) return [name]
  const path = env.findLast((entry) => entry.startsWith('PATH='))?.slice('PATH='.length) ?? ''
  return path
    .split(':')
    .filter((directory) => directory !== '')
    .map((directory) => `${directory}/${name}`)
}

/**
 * Looks the program up as the container's user, before the gate: a missing one fails `create`, as
 * callers of runc expect. The slot is the candidate's index. A container without a process, which is there
 * for its namespaces and for `exec`, has nothing to find.
 */
export function emitFindExecutable(c: ProcessContext): Slot {
  const { b, process } = c
  const found = b.slot('executable')
  const { args } = process
  if (args === undefined) return found
  return b.at('/process/args/0', () => {
    const done = b.label()
    const lastError = b.slot('lookup error')
    b.set(lastError, 2)
    executableCandidates(args, process.env ?? []).forEach((path, i) => {
      emitTryCandidate(c, path, i, found, lastError, done)
    })
    b.fail(lastError, 'executable lookup')
    b.place(done)
    return found
  })
}

function emitTryCandidate(
  c: ProcessContext,
  path: string,
  index: number,
  found: Slot,
  lastError: Slot,
  done: ReturnType<ProcessContext['b']['label']>,
): void {
  const { b } = c
  const next = b.label()
  const tolerate = ['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'ENAMETOOLONG']
  const fd = b.sys('openat', [AT_FDCWD, b.string(path), O_PATH | O_CLOEXEC, 0], {
    tolerate,
    note: path,
  })
  const missing = b.label()
  b.branch(fd, 'lt', 0, missing)
  const type = fileTypeOf(b, fd)
  const access = b.sys('faccessat2', [fd, b.string(''), X_OK, AT_EMPTY_PATH | AT_EACCESS], {
    tolerate: ['*'],
  })
  b.run('close', [fd])
  const denied = b.label()
  b.branch(type, 'eq', S_IFDIR, denied)
  b.branch(access, 'lt', 0, denied)
  b.set(found, index)
  b.jump(done)
  b.place(denied)
  b.set(lastError, EACCES)
  b.jump(next)
  b.place(missing)
  // A candidate that is there but may not be run is the better explanation (execvp(3)).
  b.branch(lastError, 'eq', EACCES, next)
  b.set(lastError, fd)
  b.place(next)
}

/**
 * Waits for `start` to connect, and reports to that connection from then on: its end of file says
 * that the exec succeeded. Without a gate the report socket plays that part.
 */
export function emitStartGate(c: ProcessContext, gate: Slot | undefined): void {
  const { b, report } = c
  b.at('gate', () => {
    if (gate !== undefined) {
      emitAwaitStart(b, gate)
      const connection = b.sys('accept4', [gate, 0, 0, SOCK_CLOEXEC])
      b.run('close', [gate])
      b.run('close', [report])
      b.set(report, connection)
    }
    emitRecord(b, report, 'starting', 0)
  })
}

/**
 * Waits until `start` connects; a signal to end ends init. The kernel drops such signals for process
 * 1 of a pid namespace (pid_namespaces(7)), but keeps those that are blocked (signalfd(2)).
 */
function emitAwaitStart(b: PlanBuilder, gate: Slot): void {
  const mask = b.words([
    ENDING_SIGNALS.reduce((bits, signal) => bits | (1n << BigInt(signal - 1)), 0n),
  ])
  const before = b.zeros(SIGSET_SIZE)
  b.run('rt_sigprocmask', [SIG_BLOCK, mask, before, SIGSET_SIZE])
  const signals = b.sys('signalfd4', [-1, mask, SIGSET_SIZE, O_CLOEXEC])
  const polled = b.zeros(16)
  for (const [at, fd] of [gate, signals].entries()) {
    b.store(4, polled, at * 8, fd)
    b.store(2, polled, at * 8 + 4, POLLIN)
  }
  b.run('ppoll', [polled, 2, 0, 0, SIGSET_SIZE])
  const start = b.label()
  b.branch(b.load(2, polled, 14), 'eq', 0, start)
  const information = b.zeros(SIGNALFD_SIGINFO_SIZE)
  b.run('read', [signals, information, SIGNALFD_SIGINFO_SIZE])
  b.exit(b.compute(b.load(4, information), 'add', 128))
  b.place(start)
  b.run('close', [signals])
  b.run('rt_sigprocmask', [SIG_SETMASK, before, 0, SIGSET_SIZE])
}

/** Closes on exec what the process was not given (CVE-2024-21626). */
export function emitCloseOnExec(c: {
  readonly b: PlanBuilder
  readonly options: Pick<CompileOptions, 'preservedFds'>
}): void {
  c.b.run('close_range', [3 + c.options.preservedFds, 0xffffffff, CLOSE_RANGE_CLOEXEC])
}

/** Closes everything but the standard streams, the preserved descriptors and those of the plan. */
export function emitCloseLeftovers(c: ProcessContext, descriptors: number): void {
  const { b } = c
  const plan = 3 + c.options.preservedFds
  b.at('descriptors', () => {
    // The number of the plan's own descriptor was free from the start, so it may be in use again.
    b.run('close', [plan], { tolerate: ['EBADF'] })
    b.run('close_range', [plan + 1 + descriptors, 0xffffffff, 0])
    // Init may wait at the gate for long: it keeps nothing of the host open that it does not need.
    if (c.cgroup !== undefined) b.run('close', [c.cgroup])
  })
}

export function emitExec(c: ProcessContext, executable: Slot): void {
  const { b, process } = c
  const { args } = process
  // `start` refuses such a container: who gets here came by the gate alone.
  if (args === undefined) {
    b.at('/process', () => b.fail(EINVAL, 'it is not set'))
    return
  }
  const argv = b.stringArray(args)
  const envp = b.stringArray(process.env ?? [])
  b.at('/process/args/0', () => {
    const candidates = executableCandidates(args, process.env ?? [])
    candidates.forEach((path, i) => {
      const next = b.label()
      if (i < candidates.length - 1) b.branch(executable, 'ne', i, next)
      b.run('execve', [b.string(path), argv, envp], { note: path })
      b.place(next)
    })
  })
}
