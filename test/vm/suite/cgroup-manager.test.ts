/** Both cgroup drivers keep the contract. */
import { CgroupfsManager } from '../../../src/cgroup/cgroupfs-manager.ts'
import { requireCgroups } from '../../../src/cgroup/detect.ts'
import { planScope } from '../../../src/cgroup/systemd-manager.ts'
import { cgroupManagerContract } from '../../contracts/cgroup-manager-contract.ts'

cgroupManagerContract('CgroupfsManager', async (id) => {
  return new CgroupfsManager(requireCgroups(), `/sys/fs/cgroup/contract/${id}`)
})

cgroupManagerContract('SystemdManager', async (id) => {
  return await planScope(requireCgroups(), {
    id,
    cgroupsPath: `contract.slice:contract:${id}`,
    annotations: {},
  })
})
