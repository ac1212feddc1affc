/** The status word of wait4(2), <sys/wait.h>. */

/** As exit code and signal: a process that a signal ended has the shell's 128 + signal as its code. */
export function decodeWaitStatus(status: number): {
  readonly exitCode: number
  readonly signal: number
} {
  const signal = status & 0x7f
  return signal === 0
    ? { exitCode: (status >> 8) & 0xff, signal: 0 }
    : { exitCode: 128 + signal, signal }
}
