/** Probes the kernel once: what the compiler may count on (src/plan/host-features.ts). */
import { existsSync, readFileSync } from 'node:fs'
import { release } from 'node:os'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import type { HostFeatures } from '../plan/host-features.ts'

const MINIMUM_KERNEL = [5, 14] as const

let probed: HostFeatures | undefined

/** The host's features. Throws `failed-precondition` on a kernel below 5.14. */
export function hostFeatures(): HostFeatures {
  probed ??= probe()
  return probed
}

/** Refuses a kernel that lacks what every plan uses: mount_setattr (5.12), cgroup.kill (5.14). */
export function checkKernel(version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [wantedMajor, wantedMinor] = MINIMUM_KERNEL
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return
  throw new TsrunError(
    'failed-precondition',
    `cannot run containers on Linux ${version}: tsrun needs 5.14 or newer`,
    {
      hint: 'upgrade the kernel',
    },
  )
}

function probe(): HostFeatures {
  checkKernel(release())
  return Object.freeze({
    cloneIntoCgroup: true,
    lastCapability: Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8')),
    timeNamespaces: existsSync('/proc/self/ns/time'),
    apparmor: readIfThere('/sys/module/apparmor/parameters/enabled').startsWith('Y'),
    selinux: existsSync('/sys/fs/selinux/enforce'),
  })
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return ''
    throw error
  }
}
