/** Finds names in a profile that no kernel here knows: in a rule that denies, a slip of the pen is a hole. */
import { type SyscallArchitecture, syscallNumber } from '../linux/syscall-numbers.ts'
import type { Seccomp } from '../oci/runtime-config.ts'

const ARCHITECTURES: readonly SyscallArchitecture[] = ['x86_64', 'x86', 'x32', 'aarch64', 'arm']

/** Names of calls that no supported architecture has, once each; filters have no rule for them. */
export function unknownCalls({ syscalls = [] }: Seccomp): readonly string[] {
  const names = new Set(syscalls.flatMap((rule) => rule.names))
  return [...names].filter((name) =>
    ARCHITECTURES.every((architecture) => syscallNumber(architecture, name) === undefined),
  )
}
