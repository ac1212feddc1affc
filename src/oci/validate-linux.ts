/** Checks the `linux` object of config.json, and what namespaces the rest of the document depends on. */

import { PROPAGATION_FLAGS } from '../linux/mount-flags.ts'
import { isNamespaceKind, NAMESPACES, type NamespaceKind } from '../linux/namespaces.ts'
import { type JsonCursor, MAX_ID } from './json-cursor.ts'
import { sysctlComponents, sysctlNamespace } from './sysctl-name.ts'
import { checkIntelRdt } from './validate-intel-rdt.ts'
import { checkMemoryPolicy } from './validate-memory-policy.ts'
import { checkResources } from './validate-resources.ts'
import { checkSeccomp } from './validate-seccomp.ts'

const DEVICE_TYPES = ['c', 'b', 'u', 'p']
/** Extents that /proc/<pid>/uid_map takes since Linux 4.15 (user_namespaces(7)). */
const MAX_MAPPINGS = 340

/** The namespaces a container has of its own or joins, with the path it joins by when there is one. */
export type ConfiguredNamespaces = ReadonlyMap<NamespaceKind, string | undefined>

/** config-linux.md; returns the namespaces for the checks of fields outside `linux`. */
export function checkLinux(linux: JsonCursor): ConfiguredNamespaces {
  if (!linux.object()) return new Map()
  const namespaces = checkNamespaces(linux.field('namespaces'))
  checkUserNamespace(linux, namespaces)
  linux.field('timeOffsets').object((offsets) => checkTimeOffsets(offsets, namespaces))
  linux.field('sysctl').object((sysctls) => checkSysctls(sysctls, namespaces))
  linux.field('resources').object(checkResources)
  linux.field('cgroupsPath').string()
  for (const device of linux.field('devices').items()) device.object(checkDevice)
  linux.field('netDevices').object((devices) => checkNetDevices(devices, namespaces))
  linux.field('seccomp').object(checkSeccomp)
  checkPropagation(linux.field('rootfsPropagation'))
  checkPaths(linux, namespaces)
  linux.field('mountLabel').string()
  linux.field('intelRdt').object(checkIntelRdt)
  linux.field('personality').object(checkPersonality)
  linux.field('memoryPolicy').object(checkMemoryPolicy)
  return namespaces
}

/** A list of id mappings, of the container or of one mount. */
export function checkMappings(mappings: JsonCursor): void {
  const items = mappings.items()
  if (items.length > MAX_MAPPINGS) mappings.report(`must hold at most ${MAX_MAPPINGS} mappings`)
  const ranges: { readonly container: number; readonly host: number; readonly size: number }[] = []
  for (const mapping of items) {
    if (!mapping.object()) continue
    const container = mapping.field('containerID').required().id()
    const host = mapping.field('hostID').required().id()
    const size = mapping
      .field('size')
      .required()
      .integer(1, MAX_ID + 1)
    if (container === undefined || host === undefined || size === undefined) continue
    if (Math.max(container, host) + size > MAX_ID + 1)
      mapping.report('must end below id 4294967295')
    if (ranges.some((range) => overlap(range.container, range.size, container, size))) {
      mapping.report('maps container ids that an earlier mapping maps')
    }
    if (ranges.some((range) => overlap(range.host, range.size, host, size))) {
      mapping.report('maps host ids that an earlier mapping maps')
    }
    if (ranges.length < MAX_MAPPINGS) ranges.push({ container, host, size })
  }
}

function overlap(start: number, size: number, otherStart: number, otherSize: number): boolean {
  return start < otherStart + otherSize && otherStart < start + size
}

function checkNamespaces(list: JsonCursor): ConfiguredNamespaces {
  const namespaces = new Map<NamespaceKind, string | undefined>()
  for (const item of list.items()) {
    if (!item.object()) continue
    const type = item.field('type').required().string()
    const path = joinedPath(item.field('path'))
    if (type === undefined) continue
    if (!isNamespaceKind(type)) {
      const known = Object.keys(NAMESPACES).join(', ')
      item.field('type').report(`must be one of ${known}, not ${JSON.stringify(type)}`)
      continue
    }
    if (namespaces.has(type)) item.report(`lists the ${type} namespace a second time`)
    namespaces.set(type, path)
  }
  return namespaces
}

/** An empty path is how Go's encoder may write "a new namespace". */
function joinedPath(path: JsonCursor): string | undefined {
  return path.value === '' ? undefined : path.absolutePath()
}

function checkUserNamespace(linux: JsonCursor, namespaces: ConfiguredNamespaces): void {
  const mappings = [linux.field('uidMappings'), linux.field('gidMappings')]
  for (const list of mappings) {
    if (list.present) checkMappings(list)
    const empty = !list.present || (Array.isArray(list.value) && list.value.length === 0)
    if (!namespaces.has('user')) {
      if (!empty) list.report('needs a user namespace in /linux/namespaces')
    } else if (empty && namespaces.get('user') === undefined) {
      // Without a mapping every id is the overflow id and the container could not even start.
      list.report('is required for a new user namespace')
    }
  }
}

function checkTimeOffsets(offsets: JsonCursor, namespaces: ConfiguredNamespaces): void {
  const entries = offsets.entries()
  // Once a process is in a time namespace its offsets cannot change (time_namespaces(7)).
  const isNew = namespaces.has('time') && namespaces.get('time') === undefined
  if (entries.length > 0 && !isNew) {
    offsets.report('needs a new time namespace in /linux/namespaces')
  }
  for (const [clock, offset] of entries) {
    if (clock !== 'monotonic' && clock !== 'boottime') {
      offset.report(`must be named monotonic or boottime, not ${JSON.stringify(clock)}`)
    }
    if (!offset.object()) continue
    offset.field('secs').int64()
    offset.field('nanosecs').integer(0, 999_999_999)
  }
}

function checkSysctls(sysctls: JsonCursor, namespaces: ConfiguredNamespaces): void {
  for (const [name, value] of sysctls.entries()) {
    value.required().string()
    if (sysctlComponents(name) === undefined) {
      value.report('is not the name of a sysctl')
      continue
    }
    const owner = sysctlNamespace(name)
    if (owner === undefined) {
      value.report('must not be set: it belongs to the host and to no namespace')
    } else if (owner === 'uts' && name.endsWith('hostname')) {
      value.report('must be set by the hostname field, not as a sysctl')
    } else if (!namespaces.has(owner)) {
      value.report(
        `needs a namespace of type ${owner} in /linux/namespaces, or it would change the host`,
      )
    }
  }
}

function checkDevice(device: JsonCursor): void {
  device.field('path').required().absolutePath()
  const type = device.field('type').required().oneOf(DEVICE_TYPES)
  // <linux/kdev_t.h>: 12 bits of major, 20 of minor.
  const major = device.field('major')
  const minor = device.field('minor')
  const numbered = type !== undefined && type !== 'p'
  ;(numbered ? major.required() : major).integer(0, 0xfff)
  ;(numbered ? minor.required() : minor).integer(0, 0xf_ffff)
  // Go callers write os.FileMode or st_mode: the file type bits are ignored by the compiler.
  device.field('fileMode').uint32()
  device.field('uid').id()
  device.field('gid').id()
}

function checkNetDevices(devices: JsonCursor, namespaces: ConfiguredNamespaces): void {
  const entries = devices.entries()
  if (entries.length > 0 && !namespaces.has('network')) {
    devices.report('needs a network namespace in /linux/namespaces')
  }
  for (const [name, device] of entries) {
    if (!isInterfaceName(name)) device.report('must be named by a network interface')
    if (!device.object()) continue
    const renamed = device.field('name').string()
    // One %d stands for the first free number, as in the kernel's own names.
    const example = renamed?.replace('%d', '0') ?? ''
    if (example !== '' && (!isInterfaceName(example) || example.includes('%'))) {
      device.field('name').report('must be the name of a network interface')
    }
  }
}

/** dev_valid_name() of the kernel: IFNAMSIZ is 16 with the NUL. */
function isInterfaceName(name: string): boolean {
  return /^[^\s/:\0]{1,15}$/.test(name) && name !== '.' && name !== '..'
}

function checkPropagation(propagation: JsonCursor): void {
  if (propagation.value === '') return
  propagation.oneOf(Object.keys(PROPAGATION_FLAGS))
}

function checkPaths(linux: JsonCursor, namespaces: ConfiguredNamespaces): void {
  for (const key of ['maskedPaths', 'readonlyPaths']) {
    const paths = linux.field(key)
    const texts = paths.strings()
    if (!texts.every((text) => text.startsWith('/'))) {
      for (const path of paths.items()) path.absolutePath()
    }
    if (texts.length > 0 && !namespaces.has('mount')) {
      paths.report('needs a mount namespace in /linux/namespaces, or it would change the host')
    }
  }
}

function checkPersonality(personality: JsonCursor): void {
  personality.field('domain').required().oneOf(['LINUX', 'LINUX32'])
  const flags = personality.field('flags')
  // config-linux.md "Personality": no values are defined, so whatever stands there would be ignored.
  if (flags.strings().length > 0) flags.report('must be empty: no flags are defined')
}
