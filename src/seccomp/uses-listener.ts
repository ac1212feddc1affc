/** Whether a filter reports to a listener: apart from the compiler, whose tables most commands need not load. */
import type { Seccomp } from '../oci/runtime-config.ts'

/** True when a rule uses SCMP_ACT_NOTIFY; seccomp(2) then returns a descriptor for `listenerPath`. */
export function usesListener(seccomp: Seccomp | undefined): boolean {
  return seccomp?.syscalls?.some(({ action }) => action === 'SCMP_ACT_NOTIFY') === true
}
