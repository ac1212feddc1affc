/** Parses /proc/<pid>/stat (proc_pid_stat(5)) into the fields that identify and describe a process. */

export interface ProcStat {
  readonly pid: number
  readonly comm: string
  /** One letter: `R`, `S`, `D`, `Z`, `T`, `t`, `X`, `I` and a few of old kernels. */
  readonly state: string
  readonly ppid: number
  readonly processGroup: number
  readonly session: number
  readonly threads: number
  /** Clock ticks since boot; with the pid it names one process for ever. Fits a JavaScript number: 2^53 ticks are 2.8 million years. */
  readonly startTime: number
}

/** The record in `text`, undefined when it is not a stat line. */
export function parseProcStat(text: string): ProcStat | undefined {
  // comm may hold spaces, newlines and parentheses: only the last `)` ends it.
  const open = text.indexOf('(')
  const close = text.lastIndexOf(')')
  if (open === -1 || close < open) return undefined
  const pid = Number(text.slice(0, open).trim())
  // fields[0] is field 3 of the man page.
  const fields = text
    .slice(close + 1)
    .trim()
    .split(' ')
  const state = fields[0]
  const [ppid, processGroup, session, threads, startTime] = [1, 2, 3, 17, 19].map((index) =>
    integer(fields[index]),
  )
  if (!Number.isSafeInteger(pid) || pid < 1 || state === undefined || state.length !== 1) {
    return undefined
  }
  if (ppid === undefined || processGroup === undefined || session === undefined) return undefined
  if (threads === undefined || startTime === undefined) return undefined
  const comm = text.slice(open + 1, close)
  return { pid, comm, state, ppid, processGroup, session, threads, startTime }
}

/** Whether the process has ended and only waits to be reaped (`Z`) or is gone (`X`). */
export function isDeadState(state: string): boolean {
  return state === 'Z' || state === 'X' || state === 'x'
}

function integer(text: string | undefined): number | undefined {
  if (text === undefined || !/^-?\d+$/.test(text)) return undefined
  return Number(text)
}
