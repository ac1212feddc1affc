/** Facts of the machine and of the engine's stores, in the words of docker's `info`. */
import { cpus, hostname, release, totalmem } from 'node:os'
import { detectCgroups } from '../cgroup/detect.ts'
import { hostFeatures } from '../native/host-features.ts'
import { hostArchitecture } from '../native/library.ts'
import { VERSION } from '../version.ts'
import type { Engine } from './engine.ts'
import { everyContainer } from './list-containers.ts'

export function systemInfo(engine: Engine): Record<string, unknown> {
  const statuses = everyContainer(engine.containers).map(({ status }) => status.status)
  const count = (wanted: string) => statuses.filter((status) => status === wanted).length
  const cgroups = detectCgroups()
  const features = hostFeatures()
  return {
    ServerVersion: VERSION,
    Name: hostname(),
    Containers: statuses.length,
    ContainersRunning: count('running'),
    ContainersPaused: count('paused'),
    ContainersStopped: statuses.length - count('running') - count('paused'),
    Driver: 'overlay',
    DockerRootDir: engine.dataRoot,
    StateRoot: engine.stateRoot,
    CgroupDriver: 'cgroupfs',
    CgroupVersion: cgroups === undefined ? '' : '2',
    CgroupMode: cgroups?.mode ?? 'none',
    KernelVersion: release(),
    OSType: 'linux',
    Architecture: hostArchitecture(),
    NCPU: cpus().length,
    MemTotal: totalmem(),
    SecurityOptions: [
      'name=seccomp',
      ...(features.apparmor ? ['name=apparmor'] : []),
      ...(features.selinux ? ['name=selinux'] : []),
    ],
  }
}
