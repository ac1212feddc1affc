/** Looks up on the host what building a container's config.json needs to know. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { hostname, release } from 'node:os'
import { join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { boundingSet } from '../linux/bounding-set.ts'
import { hostFeatures } from '../native/host-features.ts'
import { hostArchitecture } from '../native/library.ts'
import { lookupsOf } from '../spec/lookups.ts'
import type { DeviceStat, SpecHost, SpecOptions } from '../spec/spec-input.ts'
import { isHostRoot } from '../util/host-user.ts'

/**
 * The facts that `options` make necessary. Missing sources of -v are created as docker does;
 * those of --mount must be there.
 */
export function lookUpHost(options: SpecOptions, workingDirectory: string): SpecHost {
  const lookups = lookupsOf(options, workingDirectory)
  for (const source of lookups.bindSources) ensureSource(source.path, source.create)
  return {
    architecture: hostArchitecture(),
    hostname: hostname(),
    kernelRelease: release(),
    capabilities: ownCapabilities(),
    devices: lookups.allDevices ? devicesBelow('/dev') : lookups.devices.flatMap(statDevices),
    workingDirectory,
    seccompProfiles: new Map(lookups.seccompProfiles.map((path) => [path, readProfile(path)])),
    apparmor: hostFeatures().apparmor,
    selinux: hostFeatures().selinux,
    ...ownNamespace(),
  }
}

/** The nodes of the host at `paths`; throws for one that is none. */
export function deviceStats(paths: readonly string[]): readonly DeviceStat[] {
  return paths.flatMap(statDevices)
}

function ownNamespace(): Pick<SpecHost, 'ownNamespace'> {
  if (isHostRoot()) return {}
  const gidMappings = readFileSync('/proc/self/gid_map', 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([containerID = 0, hostID = 0, size = 0]) => ({ containerID, hostID, size }))
  const deniesGroups = readFileSync('/proc/self/setgroups', 'utf8').trim() === 'deny'
  return { ownNamespace: { gidMappings, deniesGroups } }
}

function ensureSource(path: string, create: boolean): void {
  if (existsSync(path)) return
  if (!create) {
    throw new TsrunError(
      'invalid-argument',
      `cannot mount "${path}": there is no such file or directory on the host`,
    )
  }
  mkdirSync(path, { recursive: true })
}

/** The bounding set: what this process may give to a container at most. */
export function ownCapabilities(): readonly string[] {
  return boundingSet(readFileSync('/proc/self/status', 'latin1'))
}

function readProfile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new TsrunError('invalid-argument', `cannot read the seccomp profile "${path}"`, { cause })
  }
}

function statDevices(path: string): DeviceStat[] {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) {
    throw new TsrunError('invalid-argument', `cannot give the device "${path}": the host has none`)
  }
  if (stat.isDirectory()) return devicesBelow(path)
  const device = deviceOf(path)
  if (device !== undefined) return [device]
  throw new TsrunError('invalid-argument', `cannot give the device "${path}": it is no device node`)
}

// Not through links: /dev/fd and the like lead into /proc.
function devicesBelow(folder: string): DeviceStat[] {
  const entries = readdirSync(folder, { withFileTypes: true })
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory())
      return path === '/dev/pts' || path === '/dev/shm' ? [] : devicesBelow(path)
    if (!entry.isCharacterDevice() && !entry.isBlockDevice()) return []
    const device = deviceOf(path)
    return device === undefined ? [] : [device]
  })
}

function deviceOf(path: string): DeviceStat | undefined {
  try {
    const { rdev, mode, uid, gid } = statSync(path)
    const kind = mode & 0o170000
    if (kind !== 0o020000 && kind !== 0o060000) return undefined
    return {
      path,
      type: kind === 0o020000 ? 'c' : 'b',
      major: majorOf(rdev),
      minor: minorOf(rdev),
      mode: mode & 0o777,
      uid,
      gid,
    }
  } catch (error) {
    // Unplugged between the listing and the look.
    if (errnoCodeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

// The kernel's encoding for user space, makedev(3).
function majorOf(rdev: number): number {
  return Math.floor(rdev / 2 ** 32) * 4096 + ((rdev >> 8) & 0xfff)
}

function minorOf(rdev: number): number {
  return (rdev & 0xff) | ((rdev >> 12) & 0xfff00)
}
