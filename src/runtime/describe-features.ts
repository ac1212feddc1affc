/** The features document of this build on this host: what `features` prints. */
import { readFileSync } from 'node:fs'
import { type Features, runtimeFeatures } from '../oci/features.ts'
import { KNOWN_MOUNT_OPTIONS } from '../oci/mount-option-names.ts'
import { SECCOMP_FEATURES } from '../seccomp/features.ts'
import { VERSION } from '../version.ts'

/** As runtime-spec features.md; loads neither the compiler nor the native library. */
export function describeFeatures(): Features {
  return runtimeFeatures({
    version: VERSION,
    mountOptions: KNOWN_MOUNT_OPTIONS,
    lastCapability: Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8')),
    seccomp: SECCOMP_FEATURES,
    // What this build can do: whether the host has them shows when a config asks.
    apparmor: true,
    selinux: true,
    idmapMounts: true,
    systemdCgroup: true,
  })
}
