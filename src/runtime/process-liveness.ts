/** Whether a remembered process still lives: pid and start time, never a pid alone. */
import { existsSync, readFileSync } from 'node:fs'
import { errnoCodeOf } from '../errors.ts'
import { isDeadState, type ProcStat, parseProcStat } from '../linux/parse-proc-stat.ts'
import type { OwnedFd } from '../native/owned-fd.ts'
import { pidfdOpen } from '../native/syscalls.ts'

/** A process as we know it: a pid alone is soon another's. */
export interface ProcessIdentity {
  readonly pid: number
  /** Field 22 of /proc/<pid>/stat. */
  readonly startTime: number
}

/** What tells the process `pid` from later ones, undefined when it has ended. */
export function identify(pid: number): ProcessIdentity | undefined {
  const stat = readProcStat(pid)
  return stat === undefined ? undefined : { pid, startTime: stat.startTime }
}

/** /proc/<pid>/stat, undefined when there is no such process. */
export function readProcStat(pid: number): ProcStat | undefined {
  const path = `/proc/${pid}/stat`
  // Who asks is often about to delete: an error with its stack costs ten times as much as this look.
  if (!existsSync(path)) return undefined
  try {
    return parseProcStat(readFileSync(path, 'utf8'))
  } catch (error) {
    const code = errnoCodeOf(error)
    if (code === 'ENOENT' || code === 'ESRCH') return undefined
    throw error
  }
}

/** Whether the process is alive: there, with this start time, and not a zombie. */
export function isAlive(pid: number, startTime: number): boolean {
  const stat = readProcStat(pid)
  return stat !== undefined && stat.startTime === startTime && !isDeadState(stat.state)
}

/**
 * A pidfd for the process, undefined when it has ended. The start time is read after the pidfd was
 * opened: from then on the pid cannot be another's without the pidfd knowing.
 */
export function openProcess(pid: number, startTime: number): OwnedFd | undefined {
  const pidfd = pidfdOpen(pid)
  if (pidfd === undefined) return undefined
  if (isAlive(pid, startTime)) return pidfd
  pidfd.close()
  return undefined
}
