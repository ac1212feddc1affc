/**
 * newuidmap(1) and newgidmap(1): the set-user-ID programs that write the maps of a user namespace for a user who has
 * more ids than their own. They are found in fixed places alone and get no environment; what they wrote is read back.
 */
import { type Stats, statSync } from 'node:fs'
import { TsrunError } from '../../errors.ts'
import { readXattr } from '../../native/xattrs.ts'
import type { IdMapping } from '../../oci/runtime-config.ts'
import { runHelper } from './run-helper.ts'
import {
  currentUser,
  type IdKind,
  type IdRange,
  subordinateFile,
  subordinateIds,
} from './subordinate-ids.ts'

/** NixOS has programs with rights there alone; the rest is the usual path, the distribution's first. */
const DIRECTORIES = [
  '/run/wrappers/bin',
  '/usr/bin',
  '/bin',
  '/usr/sbin',
  '/sbin',
  '/usr/local/bin',
  '/usr/local/sbin',
]
const S_ISUID = 0o4000

export interface WantedMap {
  readonly pid: number
  readonly kind: IdKind
  readonly mappings: readonly IdMapping[]
  /** As the config calls it, for messages: `linux.uidMappings`. */
  readonly field: string
}

/** Has the helper write the map. Throws `permission-denied` with what is missing. */
export async function mapWithHelper(wanted: WantedMap): Promise<void> {
  const program = findHelper(wanted)
  const { status, stderr } = await runHelper(program, argumentsOf(wanted))
  if (status !== 0) throw explain(wanted, program, stderr)
}

/** `<pid> <inside> <outside> <count> …` */
export function argumentsOf({ pid, mappings }: WantedMap): readonly string[] {
  const numbers = mappings.flatMap(({ containerID, hostID, size }) => [containerID, hostID, size])
  return [pid, ...numbers].map(String)
}

function nameOf(kind: IdKind): string {
  return `new${kind}map`
}

function findHelper({ kind, field, mappings }: WantedMap): string {
  const name = nameOf(kind)
  for (const directory of DIRECTORIES) {
    const path = `${directory}/${name}`
    if (statSync(path, { throwIfNoEntry: false })?.isFile() === true) return path
  }
  throw new TsrunError(
    'failed-precondition',
    `cannot apply ${field} ${describe(mappings)}: there is no ${name} in ${DIRECTORIES.join(', ')}`,
    {
      hint: `install it (package uidmap of Debian and Ubuntu, shadow-utils of others), or map your own ${kind} alone`,
    },
  )
}

function describe(mappings: readonly IdMapping[]): string {
  return JSON.stringify(
    mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}`).join(', '),
  )
}

function explain(wanted: WantedMap, program: string, stderr: string): TsrunError {
  const { field, mappings } = wanted
  const [detail, hint] = diagnose(wanted, program)
  const said = stderr.trim() === '' ? '' : ` (${stderr.trim()})`
  return new TsrunError(
    'permission-denied',
    `cannot apply ${field} ${describe(mappings)}: ${detail}${said}`,
    { hint },
  )
}

// Looked at once it has failed: a directory service may know of ranges that the files do not have.
function diagnose(
  { kind, mappings }: WantedMap,
  program: string,
): readonly [detail: string, hint: string] {
  if (!hasRights(program, statSync(program)))
    return [
      `${program} has no rights to do it`,
      `as root: chmod u+s ${program}, or install its package again; or map your own ${kind} alone`,
    ]
  const user = currentUser()
  const file = subordinateFile(kind)
  const name = user.name ?? String(user.uid)
  const line = `as root: echo ${name}:100000:65536 >> ${file}, with a range that is nobody else’s (usermod --add-sub${kind}s)`
  if (user.name === undefined)
    return [
      `user ${user.uid} has no entry in the user database, and ${program} maps nothing for it`,
      `give the user a line in /etc/passwd, or map your own ${kind} alone`,
    ]
  const own = subordinateIds(kind, user)
  if (own.length === 0) return [`user ${name} has no entry in ${file}`, line]
  const outside = mappings.find((mapping) => !isCovered(mapping, kind, own))
  if (outside === undefined)
    return [
      `${program} failed`,
      `look at ${file} and at user.max_user_namespaces; in a container of its own the runtime needs CAP_SET${kind.toUpperCase()} there`,
    ]
  const { hostID, size } = outside
  return [
    `${hostID} to ${hostID + size - 1} is not in the ranges of user ${name} in ${file}: ${own.map(({ start, count }) => `${start} to ${start + count - 1}`).join(', ')}`,
    `map ids of these ranges, or widen them in ${file}`,
  ]
}

function isCovered({ hostID, size }: IdMapping, kind: IdKind, own: readonly IdRange[]): boolean {
  const ownId = kind === 'uid' ? process.getuid?.() : process.getgid?.()
  if (size === 1 && hostID === ownId) return true
  return own.some(({ start, count }) => hostID >= start && hostID + size <= start + count)
}

// Distributions give it the set-user-ID bit, or one capability of its own (capabilities(7), "File capabilities").
function hasRights(program: string, { mode, uid }: Stats): boolean {
  if ((mode & S_ISUID) !== 0 && uid === 0) return true
  return readXattr(Buffer.from(program), 'security.capability') !== undefined
}
