/** `update`: new limits for a container that is there. */
import { replaceDeviceFilter } from '../cgroup/attach-device-filter.ts'
import { completeUpdate } from '../cgroup/complete-update.ts'
import { compileDeviceFilter } from '../cgroup/device-filter.ts'
import { refuseBelowUsage } from '../cgroup/refuse-below-usage.ts'
import { TsrunError } from '../errors.ts'
import { normalizeResources } from '../oci/normalize-runtime-config.ts'
import type { Resources } from '../oci/runtime-config.ts'
import { loadContainer } from './load-container.ts'
import { cgroupOf, managerOf } from './recorded-cgroup.ts'

/**
 * Applies what `resources` has and leaves the rest as it is. Throws `not-found`, `failed-precondition`
 * when the kernel refuses a limit, and `not-implemented` for what cgroup v2 has not.
 */
export async function updateContainer(
  root: string,
  id: string,
  resources: Resources,
): Promise<void> {
  const record = await loadContainer(root, id)
  const cgroup = cgroupOf(record)
  const manager = await managerOf(record)
  if (cgroup === undefined || manager === undefined) {
    throw new TsrunError(
      'failed-precondition',
      `cannot update container "${id}": it has no cgroup of its own`,
      { hint: 'create it without --cgroup-manager disabled, on a host with cgroup v2' },
    )
  }
  const normal = normalizeResources(resources, record.ociVersion)
  const complete = completeUpdate(normal, (file) => cgroup.read(file))
  refuseBelowUsage(cgroup, complete)
  await manager.update(complete)
  // podman 5 and the Kubernetes plugin of containerd send the whole list of the container with every update.
  const { devices = [] } = complete
  if (devices.length > 0) replaceDeviceFilter(cgroup.path, compileDeviceFilter(devices))
}
