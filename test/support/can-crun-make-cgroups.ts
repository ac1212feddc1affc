/** crun raises RLIMIT_MEMLOCK for its device filter, which needs CAP_SYS_RESOURCE. */
import { readFileSync } from 'node:fs'

const CAP_SYS_RESOURCE = 24n

/** Whether crun can be used as it is, or must be told to leave cgroups alone. */
export function canCrunMakeCgroups(): boolean {
  const effective = /CapEff:\s*([0-9a-f]+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  return ((BigInt(`0x${effective}`) >> CAP_SYS_RESOURCE) & 1n) === 1n
}
