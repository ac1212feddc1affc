/** The words of `linux.seccomp.architectures`, and what the kernel calls them in seccomp_data. */
import type { SyscallArchitecture } from '../linux/syscall-numbers.ts'

export interface FilterArchitecture {
  readonly name: SyscallArchitecture
  /** AUDIT_ARCH_* of linux/audit.h. */
  readonly audit: number
  /** Whether the upper half of an argument counts; 32-bit calls cannot set it, x32 shall not. */
  readonly wideArguments: boolean
}

const AUDIT_ARCH_X86_64 = 0xc000_003e
const AUDIT_ARCH_I386 = 0x4000_0003
const AUDIT_ARCH_AARCH64 = 0xc000_00b7
const AUDIT_ARCH_ARM = 0x4000_0028

export const X86_64: FilterArchitecture = {
  name: 'x86_64',
  audit: AUDIT_ARCH_X86_64,
  wideArguments: true,
}
export const AARCH64: FilterArchitecture = {
  name: 'aarch64',
  audit: AUDIT_ARCH_AARCH64,
  wideArguments: true,
}
/** The kernel reports x32 as x86_64 with __X32_SYSCALL_BIT in the number. */
export const X32: FilterArchitecture = {
  name: 'x32',
  audit: AUDIT_ARCH_X86_64,
  wideArguments: false,
}

export const FILTER_ARCHITECTURES: Readonly<Record<string, FilterArchitecture>> = {
  SCMP_ARCH_X86_64: X86_64,
  SCMP_ARCH_X86: { name: 'x86', audit: AUDIT_ARCH_I386, wideArguments: false },
  SCMP_ARCH_X32: X32,
  SCMP_ARCH_AARCH64: AARCH64,
  SCMP_ARCH_ARM: { name: 'arm', audit: AUDIT_ARCH_ARM, wideArguments: false },
}

/**
 * Machines that neither x86_64 nor aarch64 can run code of: their calls cannot come, so a profile
 * written for many machines means the same without them.
 */
export const FOREIGN_ARCHITECTURES: ReadonlySet<string> = new Set(
  (
    'MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32 PPC PPC64 PPC64LE S390 S390X PARISC ' +
    'PARISC64 RISCV64 LOONGARCH64 M68K SH SHEB'
  )
    .split(' ')
    .map((name) => `SCMP_ARCH_${name}`),
)
