/** linux.intelRdt: classes of service and monitoring groups of resctrl (config-linux.md "IntelRdt", Documentation/filesystems/resctrl.rst). */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { parseMountinfo } from '../linux/parse-mountinfo.ts'
import type { IntelRdt } from '../oci/runtime-config.ts'
import { readTextIfThere } from '../util/if-there.ts'
import { missingLine } from './resctrl-schemata.ts'

/** The groups of one container: where its processes go, and which of them go with it. */
export interface RdtGroups {
  /** Directories whose `tasks` get every process, in this order. */
  readonly groups: readonly string[]
  /** Directories that are made for the container, in the order in which they can be removed. */
  readonly own: readonly string[]
}

/** The name below which the groups are noted in the container's folder. */
export const RDT_FILE = 'rdt.json'

/** Where resctrl is mounted. Throws `failed-precondition` when it is not, with what to do. */
export function findResctrl(mountinfo = readFileSync('/proc/self/mountinfo', 'utf8')): string {
  const mount = parseMountinfo(mountinfo).find(({ fsType }) => fsType === 'resctrl')
  if (mount !== undefined) return mount.mountPoint
  throw new TsrunError(
    'failed-precondition',
    'cannot apply linux.intelRdt: no resctrl file system is mounted',
    {
      hint: 'mount -t resctrl resctrl /sys/fs/resctrl, on a CPU with Intel RDT or AMD QoS and a kernel with CONFIG_X86_CPU_RESCTRL',
    },
  )
}

/** The groups that a container `id` gets, before any of them is made. */
export function rdtGroups(resctrl: string, id: string, rdt: IntelRdt): RdtGroups {
  const closId = rdt.closID ?? ''
  const control = closId === '/' ? resctrl : join(resctrl, closId === '' ? id : closId)
  const monitor = rdt.enableMonitoring === true ? [join(control, 'mon_groups', id)] : []
  return {
    groups: [control, ...monitor],
    // Only a group that nobody named is the container's.
    own: [...monitor, ...(closId === '' ? [control] : [])],
  }
}

/**
 * Looks at what is there before anything is made. Throws `failed-precondition` for a class that is missing or
 * has other schemata than asked for, and for a group of the container's own that another has.
 */
export function checkRdtGroups({ groups, own }: RdtGroups, rdt: IntelRdt): void {
  const [control = ''] = groups
  const taken = own.find((directory) => existsSync(directory))
  if (taken !== undefined)
    throw cannotApply(`the group ${taken} exists already`, 'remove it, or name a class as closID')
  if (existsSync(control)) checkSchemata(control, cacheAndBandwidth(rdt))
  else if (!own.includes(control) && schemataOf(rdt).length === 0)
    throw cannotApply(
      `the class ${control} does not exist`,
      'make it first, or give the schemata that it is to have',
    )
}

/**
 * Makes the groups that are not there; `schemata` is written to one that is, too (config-linux.md "IntelRdt").
 * On failure those of the container's own are gone again.
 */
export function makeRdtGroups(resctrl: string, groups: RdtGroups, rdt: IntelRdt): void {
  const [control = resctrl, monitor] = groups.groups
  try {
    const isNew = !existsSync(control)
    if (isNew) mkdirSync(control)
    const lines = isNew ? schemataOf(rdt) : (rdt.schemata ?? [])
    for (const line of lines) writeFileSync(join(control, 'schemata'), `${line}\n`)
    if (monitor !== undefined) mkdirSync(monitor)
  } catch (cause) {
    const error = refused(resctrl, cause)
    removeRdtGroups(groups)
    throw error
  }
}

/** Puts the process, and so what it starts from now on, into the groups. */
export function joinRdtGroups({ groups }: RdtGroups, pid: number): void {
  for (const group of groups) writeFileSync(join(group, 'tasks'), String(pid))
}

/** Removes what was made for the container; one that is gone is as good. */
export function removeRdtGroups({ own }: RdtGroups): void {
  for (const directory of own) {
    try {
      rmdirSync(directory)
    } catch (error) {
      if (errnoCodeOf(error) !== 'ENOENT') throw error
    }
  }
}

/** In the order of the specification: L3 cache, memory bandwidth, the rest. */
function schemataOf(rdt: IntelRdt): readonly string[] {
  return [...cacheAndBandwidth(rdt), ...(rdt.schemata ?? [])]
}

function cacheAndBandwidth({ l3CacheSchema = '', memBwSchema = '' }: IntelRdt): readonly string[] {
  return [l3CacheSchema, memBwSchema].filter((line) => line !== '')
}

function checkSchemata(control: string, lines: readonly string[]): void {
  if (lines.length === 0) return
  const present = readFileSync(join(control, 'schemata'), 'utf8')
  const missing = missingLine(present, lines)
  if (missing === undefined) return
  throw cannotApply(
    `the class ${control} exists and does not have the schemata ${JSON.stringify(missing)}`,
    'choose another closID, or the schemata that the class has',
  )
}

/** What the kernel refused, with its own words for it: info/last_cmd_status. */
function refused(resctrl: string, cause: unknown): TsrunError {
  const words = readTextIfThere(join(resctrl, 'info', 'last_cmd_status'))?.trim() ?? ''
  const code = errnoCodeOf(cause) ?? String(cause)
  const hint = code === 'ENOSPC' ? 'the CPU has no class or monitor left' : undefined
  return cannotApply(words === '' || words === 'ok' ? code : `${code}: ${words}`, hint, cause)
}

function cannotApply(detail: string, hint?: string, cause?: unknown): TsrunError {
  return new TsrunError('failed-precondition', `cannot apply linux.intelRdt: ${detail}`, {
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  })
}
