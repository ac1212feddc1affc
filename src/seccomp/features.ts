/** What `tsrun features` says of seccomp (runtime-spec features-linux.md). */
import type { LinuxFeatures } from '../oci/features.ts'
import { SECCOMP_ACTIONS, SECCOMP_FLAGS } from './actions.ts'
import { FILTER_ARCHITECTURES } from './architectures.ts'
import { OPERATORS } from './conditions.ts'

/** Every kernel that tsrun runs on (5.14 and later) but one flag's (5.19) has all of it. */
export const SECCOMP_FEATURES: LinuxFeatures['seccomp'] = {
  enabled: true,
  actions: Object.keys(SECCOMP_ACTIONS).sort(),
  operators: Object.keys(OPERATORS).sort(),
  archs: Object.keys(FILTER_ARCHITECTURES).sort(),
  knownFlags: Object.keys(SECCOMP_FLAGS),
  supportedFlags: Object.keys(SECCOMP_FLAGS),
}
