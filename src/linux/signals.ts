/** Signal names and numbers of Linux on x86_64 and aarch64: <asm-generic/signal.h>, signal(7). */

/** Number by name; SIGIOT, SIGPOLL and SIGCLD are second names. */
const SIGNALS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGSTKFLT: 16,
  SIGCHLD: 17,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGTTIN: 21,
  SIGTTOU: 22,
  SIGURG: 23,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGVTALRM: 26,
  SIGPROF: 27,
  SIGWINCH: 28,
  SIGIO: 29,
  SIGPWR: 30,
  SIGSYS: 31,
}

const ALIASES: Readonly<Record<string, number>> = { SIGIOT: 6, SIGPOLL: 29, SIGCLD: 17 }

/** The first real-time signal a program may use: the kernel's 32 and 33 belong to the C library (signal(7)). */
export const SIGRTMIN = 34
/** <asm-generic/signal.h> _NSIG. */
export const SIGRTMAX = 64

const nameByNumber = new Map(Object.entries(SIGNALS).map(([name, number]) => [number, name]))

/**
 * The number of a signal given as runc, docker and kill(1) take it: a decimal number (0 asks only
 * whether the process exists), a name with or without `SIG` in any case, or `RTMIN+n`, `RTMAX-n`.
 * Undefined when there is no such signal.
 */
export function parseSignal(text: string): number | undefined {
  if (/^\d{1,3}$/.test(text)) {
    const number = Number(text)
    return number <= SIGRTMAX ? number : undefined
  }
  const upper = text.toUpperCase()
  const name = upper.startsWith('SIG') ? upper : `SIG${upper}`
  if (Object.hasOwn(SIGNALS, name)) return SIGNALS[name]
  if (Object.hasOwn(ALIASES, name)) return ALIASES[name]
  return parseRealTime(name)
}

/** The name of a signal number, `SIGRTMIN+n` for real-time signals, `signal <n>` when it has none. */
export function signalName(number: number): string {
  const name = nameByNumber.get(number)
  if (name !== undefined) return name
  if (number === SIGRTMIN) return 'SIGRTMIN'
  if (number > SIGRTMIN && number <= SIGRTMAX) return `SIGRTMIN+${number - SIGRTMIN}`
  return `signal ${number}`
}

function parseRealTime(name: string): number | undefined {
  const match = /^SIG(?:RTMIN(?:\+(\d{1,2}))?|RTMAX(?:-(\d{1,2}))?)$/.exec(name)
  if (match === null) return undefined
  const number = name.startsWith('SIGRTMIN')
    ? SIGRTMIN + Number(match[1] ?? 0)
    : SIGRTMAX - Number(match[2] ?? 0)
  return number >= SIGRTMIN && number <= SIGRTMAX ? number : undefined
}
