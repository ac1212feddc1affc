/** Resource limit names and numbers: <asm-generic/resource.h>, getrlimit(2). */

/** Number by name, as prlimit64(2) takes it. */
export const RLIMITS = {
  RLIMIT_CPU: 0,
  RLIMIT_FSIZE: 1,
  RLIMIT_DATA: 2,
  RLIMIT_STACK: 3,
  RLIMIT_CORE: 4,
  RLIMIT_RSS: 5,
  RLIMIT_NPROC: 6,
  RLIMIT_NOFILE: 7,
  RLIMIT_MEMLOCK: 8,
  RLIMIT_AS: 9,
  RLIMIT_LOCKS: 10,
  RLIMIT_SIGPENDING: 11,
  RLIMIT_MSGQUEUE: 12,
  RLIMIT_NICE: 13,
  RLIMIT_RTPRIO: 14,
  RLIMIT_RTTIME: 15,
} as const

export type RlimitName = keyof typeof RLIMITS

/** RLIM64_INFINITY, <linux/resource.h>. */
export const RLIM_INFINITY = 0xffff_ffff_ffff_ffffn

/** Whether `name` is a resource limit of Linux, spelled `RLIMIT_...`. */
export function isRlimitName(name: string): name is RlimitName {
  return Object.hasOwn(RLIMITS, name)
}

/** The number of a limit, undefined for a name that Linux does not have. */
export function rlimitNumber(name: string): number | undefined {
  return isRlimitName(name) ? RLIMITS[name] : undefined
}

/**
 * A config.json limit as the kernel's 64-bit value. JSON numbers from 2^53 on are not exact in
 * JavaScript; every value that large stands for infinity (the spec writes it as 2^64-1).
 */
export function rlimitValue(value: number): bigint {
  return value > Number.MAX_SAFE_INTEGER ? RLIM_INFINITY : BigInt(value)
}
