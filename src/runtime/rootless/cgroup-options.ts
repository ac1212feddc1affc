/** Who makes the cgroup of an engine's container: for a user without root, whoever can. */
import { delegatedCgroup } from '../../cgroup/delegated-cgroup.ts'
import { detectCgroups } from '../../cgroup/detect.ts'
import { TsrunError } from '../../errors.ts'
import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import { isHostRoot } from '../../util/host-user.ts'
import { asksForLimits } from '../container-cgroup.ts'
import type { CreateOptions } from '../create.ts'

/** A cgroup of one's own where limits are asked for: below what is delegated, or else in a scope of the user's systemd. */
export async function cgroupOptionsOf(
  config: RuntimeConfig,
): Promise<Pick<CreateOptions, 'cgroups' | 'rootlessCgroups' | 'stickyRoot'>> {
  if (isHostRoot()) return {}
  // The state root of a user is where cleaners pass by (XDG base directory specification).
  const options = { rootlessCgroups: true, stickyRoot: true }
  const hierarchy = detectCgroups()
  const isDelegated = hierarchy !== undefined && delegatedCgroup(hierarchy) !== undefined
  if (isDelegated || !asksForLimits(config) || !(await hasUserManager())) return options
  return { ...options, cgroups: 'systemd' }
}

async function hasUserManager(): Promise<boolean> {
  const { busOptions } = await import('../../cgroup/systemd/bus-address.ts')
  try {
    busOptions('user', process.env)
    return true
  } catch (error) {
    if (error instanceof TsrunError) return false
    throw error
  }
}
