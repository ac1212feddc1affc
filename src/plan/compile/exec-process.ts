/** Finds the program, waits at the start gate, and becomes it (execve(2)). */
import {
  AT_EACCESS,
  AT_EMPTY_PATH,
  AT_FDCWD,
  O_CLOEXEC,
  O_PATH,
  S_IFDIR,
} from '../../linux/open-flags.ts'
import type { Slot } from '../instruction.ts'
import type { ProcessContext } from './create-context.ts'
import { fileTypeOf } from './path-in-root.ts'
import { emitRecord } from './report-records.ts'

const EACCES = 13
const X_OK = 1
const SOCK_CLOEXEC = 0o2000000
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
 * callers of runc expect. The slot is the candidate's index.
 */
export function emitFindExecutable(c: ProcessContext): Slot {
  const { b, process } = c
  const args = process.args ?? []
  const found = b.slot('executable')
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
      const connection = b.sys('accept4', [gate, 0, 0, SOCK_CLOEXEC])
      b.run('close', [gate])
      b.run('close', [report])
      b.set(report, connection)
    }
    emitRecord(b, report, 'starting', 0)
  })
}

/** Closes on exec what the process was not given (CVE-2024-21626). */
export function emitCloseOnExec(c: ProcessContext): void {
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
  })
}

export function emitExec(c: ProcessContext, executable: Slot): void {
  const { b, process } = c
  const args = process.args ?? []
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
