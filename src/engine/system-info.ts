/** Facts of the machine and of the engine's stores, in the words of docker's `info`. */
import { readFileSync } from 'node:fs'
import { cpus, hostname, release, totalmem } from 'node:os'
import { detectCgroups } from '../cgroup/detect.ts'
import { parseMountinfo } from '../linux/parse-mountinfo.ts'
import { hostFeatures } from '../native/host-features.ts'
import { hostArchitecture } from '../native/library.ts'
import { readTextIfThere } from '../util/if-there.ts'
import { VERSION } from '../version.ts'
import { examineHost } from './doctor/examine.ts'
import { readHost } from './doctor/host-reader.ts'
import type { Engine } from './engine.ts'
import { imagesOf } from './images.ts'
import { everyContainer } from './list-containers.ts'

export function systemInfo(engine: Engine): Record<string, unknown> {
  const statuses = everyContainer(engine).map(({ status }) => status.status)
  const count = (wanted: string) => statuses.filter((status) => status === wanted).length
  const cgroups = detectCgroups()
  const features = hostFeatures()
  const images = imagesOf(engine).list().length
  const system = parseOsRelease(
    readTextIfThere('/etc/os-release') ?? readTextIfThere('/usr/lib/os-release') ?? '',
  )
  return {
    ServerVersion: VERSION,
    Name: hostname(),
    Containers: statuses.length,
    ContainersRunning: count('running'),
    ContainersPaused: count('paused'),
    ContainersStopped: statuses.length - count('running') - count('paused'),
    Images: images,
    Driver: 'overlay',
    DriverStatus: [['Backing Filesystem', backingFilesystem(engine.dataRoot)]],
    LoggingDriver: 'k8s-file',
    DockerRootDir: engine.dataRoot,
    StateRoot: engine.stateRoot,
    CgroupDriver: 'cgroupfs',
    CgroupVersion: cgroups === undefined ? '' : '2',
    CgroupMode: cgroups?.mode ?? 'none',
    KernelVersion: release(),
    OperatingSystem: system.PRETTY_NAME ?? 'Linux',
    OSVersion: system.VERSION_ID ?? '',
    OSType: 'linux',
    Architecture: hostArchitecture(),
    NCPU: cpus().length,
    MemTotal: totalmem(),
    SecurityOptions: [
      'name=seccomp,profile=builtin',
      ...(features.apparmor ? ['name=apparmor'] : []),
      ...(features.selinux ? ['name=selinux'] : []),
      ...(process.geteuid?.() === 0 ? [] : ['name=rootless']),
    ],
    Runtimes: { tsrun: { path: engine.command[0] ?? 'tsrun' } },
    DefaultRuntime: 'tsrun',
    IndexServerAddress: 'https://index.docker.io/v1/',
    Labels: [],
    HttpProxy: process.env.http_proxy ?? process.env.HTTP_PROXY ?? '',
    HttpsProxy: process.env.https_proxy ?? process.env.HTTPS_PROXY ?? '',
    NoProxy: process.env.no_proxy ?? process.env.NO_PROXY ?? '',
    SystemTime: new Date().toISOString(),
    Warnings: warningsOf(engine),
  }
}

// What the doctor says is wrong, without its remedies: those are for `tsrun doctor`.
function warningsOf({ dataRoot }: Engine): readonly string[] {
  return examineHost(readHost(dataRoot))
    .filter(({ status }) => status !== 'ok')
    .map(({ check, detail }) => `${check}: ${detail}`)
}

function backingFilesystem(dataRoot: string): string {
  const mounts = parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'))
  const above = mounts.filter(
    ({ mountPoint }) =>
      mountPoint === '/' || dataRoot === mountPoint || dataRoot.startsWith(`${mountPoint}/`),
  )
  const nearest = above.sort((a, b) => b.mountPoint.length - a.mountPoint.length)[0]
  return nearest?.fsType ?? 'unknown'
}

/** The assignments of os-release(5); quotes are taken off. */
export function parseOsRelease(text: string): Readonly<Record<string, string>> {
  const pairs = text.split('\n').flatMap((line) => {
    const match = /^([A-Z_]+)=(?:"([^"]*)"|'([^']*)'|(\S*))$/.exec(line.trim())
    return match?.[1] === undefined ? [] : [[match[1], match[2] ?? match[3] ?? match[4] ?? '']]
  })
  return Object.fromEntries(pairs)
}
