/** Probes the kernel once: what the compiler may count on (src/plan/host-features.ts). */
import { existsSync, readFileSync } from 'node:fs'
import { release } from 'node:os'
import { TsrunError } from '../errors.ts'
import { boundingSet } from '../linux/bounding-set.ts'
import { CAPABILITY_NAMES } from '../linux/capabilities.ts'
import { errnoNumber } from '../linux/errno.ts'
import type { HostFeatures } from '../plan/host-features.ts'
import { readTextIfThere } from '../util/if-there.ts'
import { trySyscall } from './syscalls.ts'

/** The newest system calls that every plan makes, with operands that are refused before they do anything. */
const NEEDED_CALLS: readonly (readonly [string, readonly number[]])[] = [
  ['pidfd_open', [-1, 0]], // 5.3
  ['clone3', [0, 0]], // 5.3
  ['openat2', [-1, 0, 0, 0]], // 5.6
  ['faccessat2', [-1, 0, 0, 0]], // 5.8
  ['close_range', [1, 0, 0]], // 5.9
  ['mount_setattr', [-1, 0, 0, 0, 0]], // 5.12
]

let probed: HostFeatures | undefined

/** The host's features. Throws `failed-precondition` on a kernel that lacks what every plan uses. */
export function hostFeatures(): HostFeatures {
  probed ??= probe()
  return probed
}

/** Refuses a kernel without the system calls that every plan makes. `call` returns a result or -errno. */
export function checkKernel(
  version: string,
  call: (name: string, args: readonly number[]) => number,
): void {
  const missing = NEEDED_CALLS.find(([name, args]) => call(name, args) === -errnoNumber('ENOSYS'))
  if (missing === undefined) return
  throw new TsrunError(
    'failed-precondition',
    `cannot run containers on Linux ${version}: it has no ${missing[0]}(2)`,
    {
      hint: 'tsrun needs Linux 5.14 or newer, and a seccomp profile that knows its system calls',
    },
  )
}

function probe(): HostFeatures {
  checkKernel(release(), trySyscall)
  const status = readFileSync('/proc/self/status', 'utf8')
  const lastCapability = Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'))
  return Object.freeze({
    cloneIntoCgroup: true,
    lastCapability,
    withheldCapabilities: withheldCapabilities(status, lastCapability),
    timeNamespaces: existsSync('/proc/self/ns/time'),
    makesDevices: makesDevices(status, readFileSync('/proc/self/uid_map', 'utf8')),
    apparmor: readTextIfThere('/sys/module/apparmor/parameters/enabled')?.startsWith('Y') === true,
    selinux: existsSync('/sys/fs/selinux/enforce'),
    ...(readTextIfThere('/proc/self/setgroups')?.startsWith('deny') ? { deniesGroups: true } : {}),
    ...(process.geteuid?.() === 0 ? {} : { rootless: true }),
  })
}

/** Whether a process with this /proc/self/status and uid_map may make device nodes. */
export function makesDevices(status: string, uidMap: string): boolean {
  const CAP_MKNOD = 27n
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`)
  const isFirst = /^\s*0\s+0\s+4294967295$/.test(uidMap.trimEnd())
  return isFirst && ((effective >> CAP_MKNOD) & 1n) === 1n
}

/** The capabilities of the kernel that a process with this /proc/self/status cannot pass on. */
export function withheldCapabilities(status: string, lastCapability: number): readonly string[] {
  const own: readonly string[] = boundingSet(status)
  return CAPABILITY_NAMES.slice(0, lastCapability + 1).filter((name) => !own.includes(name))
}
