/**
 * The folders of the OCI runtime: one for each container, below one root.
 *
 *   <root>/<id>/             mode 0700; its maker holds flock(2) on it until it is complete
 *   <root>/<id>/state.json   written whole when init is ready, and removed first: absent, the
 *                            container is half made, and of the rest only `cgroup` means anything
 *   <root>/<id>/config.json  the config as it was at create
 *   <root>/<id>/options.json what create was told beside it
 *   <root>/<id>/cgroup       where its cgroup is, noted before that is made
 *   <root>/<id>/start        the start gate's socket; gone once the container was started
 *   <root>/<id>/verbs        what the plans of whole verbs must know of it (src/runtime/verb-plans)
 *   <root>/<id>/failure      what init said to such a plan of `start`, until `start` has told it
 */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { namesIn } from '../util/if-there.ts'
import { nameFile } from '../util/name-file.ts'
import { whoCanChange } from '../util/who-can-change.ts'
import { type ContainerRecord, parseContainerRecord } from './container-record.ts'

const ID_PATTERN = /^(?!\.{1,2}$)[A-Za-z0-9_+.-]+$/
/** Everything that can be in a container's folder, the record first. */
export const CONTAINER_FILES = [
  'state.json',
  'state.json.tmp',
  'config.json',
  'options.json',
  'cgroup',
  'rdt.json',
  'start',
  'verbs',
  'failure',
] as const

/** A file in a container's folder. What is not named here could never be removed again. */
export type ContainerFile = (typeof CONTAINER_FILES)[number]

const MAX_ID_LENGTH = 1024

/** runc's rule for container ids; throws `invalid-argument`. */
export function checkContainerId(id: string): void {
  if (id !== '' && id.length <= MAX_ID_LENGTH && ID_PATTERN.test(id)) return
  throw new TsrunError('invalid-argument', `invalid container ID format: ${JSON.stringify(id)}`, {
    hint: 'use letters, digits, _ + . and -',
  })
}

export function containerDirectory(root: string, id: string): string {
  return join(root, id)
}

// Records say which processes to signal, which cgroups to remove and which hooks to run: as root. In a
// sticky directory, `/tmp` for one, others can only add folders, and those are looked at one by one.
function checkRoot(root: string): void {
  const folder = whoCanChange(root)
  if (folder?.stranger === undefined || folder.isSticky) return
  throw new TsrunError(
    'failed-precondition',
    `cannot keep containers in ${root}: ${folder.stranger}`,
    { hint: 'give --root a directory that belongs to you and that nobody else may write in' },
  )
}

/** Makes `<root>` and a new `<root>/<id>`; false when the id is taken. Throws as {@link readContainerRecord}. */
export function makeContainerDirectory(root: string, id: string, sticky: boolean): boolean {
  const directory = containerDirectory(root, id)
  checkRoot(root)
  try {
    if (!sticky && isMade(directory)) return true
  } catch (error) {
    if (errnoCodeOf(error) !== 'ENOENT') throw error
  }
  nameFile(root, () => mkdirSync(root, { recursive: true, mode: 0o700 }))
  // Somebody else may have been faster.
  checkRoot(root)
  // The sticky bit keeps cleaners of $XDG_RUNTIME_DIR away (XDG base directory specification).
  if (sticky) chmodSync(root, 0o1700)
  return isMade(directory)
}

function isMade(directory: string): boolean {
  try {
    nameFile(directory, () => mkdirSync(directory, { mode: 0o700 }))
    return true
  } catch (error) {
    if (errnoCodeOf(error) === 'EEXIST') return false
    throw error
  }
}

/**
 * Removes the container's folder, its record first. Nothing happens when there is none. Never
 * recursive: any root can be named on the command line, `/tmp` too. Throws `failed-precondition`,
 * before anything is removed, when the folder is not a container's.
 */
export function removeContainerDirectory(root: string, id: string): void {
  const directory = containerDirectory(root, id)
  const names = ownFiles(directory)
  if (names === undefined) return
  const first = names.filter((name) => name === 'state.json')
  const rest = names.filter((name) => name !== 'state.json')
  for (const name of [...first, ...rest]) ifThere(() => unlinkSync(join(directory, name)))
  ifThere(() => rmdirSync(directory))
}

// Somebody else may be at it too, and faster.
function ifThere(remove: () => void): void {
  try {
    remove()
  } catch (error) {
    if (errnoCodeOf(error) !== 'ENOENT') throw error
  }
}

/** Whether the folder has a record, or what a maker of ours left: an empty one can be anybody's. */
export function hasContainerFiles(root: string, id: string): boolean {
  const directory = containerDirectory(root, id)
  const names = namesIn(directory)
  if (names.includes('state.json')) return true
  return names.length > 0 && names.every(isContainerFile) && isPrivate(directory)
}

/** Throws `failed-precondition` when the folder is not a container's, an empty one aside. */
export function checkContainerDirectory(root: string, id: string): void {
  ownFiles(containerDirectory(root, id))
}

/** The names in a container's folder, undefined when there is no such folder. Throws for any other folder. */
function ownFiles(directory: string): readonly string[] | undefined {
  if (lstatSync(directory, { throwIfNoEntry: false }) === undefined) return undefined
  const names = namesIn(directory)
  const foreign = names.find((name) => !isContainerFile(name))
  if (foreign === undefined && isPrivate(directory)) return names
  const reason = foreign === undefined ? 'others may write in it' : `it has "${foreign}" in it`
  throw new TsrunError(
    'failed-precondition',
    `cannot remove ${directory}: it is not the folder of a container, ${reason}`,
    { hint: 'give --root the directory that the containers were made with' },
  )
}

// What is in a folder that others can write is their word, not ours: its `cgroup` could name any cgroup.
function isPrivate(directory: string): boolean {
  const stat = lstatSync(directory, { throwIfNoEntry: false })
  return (
    stat?.isDirectory() === true && stat.uid === process.geteuid?.() && (stat.mode & 0o077) === 0
  )
}

function isContainerFile(name: string): boolean {
  return CONTAINER_FILES.some((file) => file === name)
}

/**
 * The record of a complete container, undefined when it is half made. Throws `not-found`, and
 * `failed-precondition` where others could have written it.
 */
export function readContainerRecord(root: string, id: string): ContainerRecord | undefined {
  checkContainerId(id)
  checkRoot(root)
  const directory = containerDirectory(root, id)
  const path = join(directory, 'state.json')
  if (!isPrivate(directory) && existsSync(path)) throw notOurs(directory)
  try {
    return parseContainerRecord(readFileSync(path, 'utf8'), path)
  } catch (error) {
    if (errnoCodeOf(error) !== 'ENOENT') throw error
  }
  if (containerExists(root, id)) return undefined
  throw containerNotFound(id)
}

function notOurs(directory: string): TsrunError {
  return new TsrunError(
    'failed-precondition',
    `cannot use ${directory}: it is not the folder of a container, others may write in it`,
    { hint: 'give --root the directory that the containers were made with' },
  )
}

export function containerNotFound(id: string): TsrunError {
  return new TsrunError('not-found', `container "${id}" does not exist`)
}

export function containerExists(root: string, id: string): boolean {
  return existsSync(containerDirectory(root, id))
}

/** Writes `name` in the folder of a container in the making, which nobody reads before its record is there. */
export function writeContainerFile(
  root: string,
  id: string,
  name: ContainerFile,
  content: string | Uint8Array,
): void {
  const path = containerFile(root, id, name)
  nameFile(path, () => writeFileSync(path, content, { mode: 0o600 }))
}

/** Where a record waits until its container is complete. */
export const PREPARED_RECORD = 'state.json.tmp'

/** Writes the record beside its place; {@link publishContainerRecord} makes it the container's. */
export function prepareContainerRecord(root: string, record: ContainerRecord): void {
  writeContainerFile(root, record.id, PREPARED_RECORD, JSON.stringify(record))
}

/** From here on the container is complete. */
export function publishContainerRecord(root: string, id: string): void {
  const directory = containerDirectory(root, id)
  renameSync(join(directory, PREPARED_RECORD), join(directory, 'state.json'))
}

/** Where the file `name` of a container is. */
export function containerFile(root: string, id: string, name: ContainerFile): string {
  return join(containerDirectory(root, id), name)
}

export function readContainerFile(root: string, id: string, name: string): string {
  return readFileSync(join(containerDirectory(root, id), name), 'utf8')
}

/** Ids of all container folders, half-made ones too, sorted. Throws as {@link readContainerRecord}. */
export function listContainerIds(root: string): readonly string[] {
  checkRoot(root)
  try {
    return readdirSync(root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && ID_PATTERN.test(entry.name))
      .map((entry) => entry.name)
      .sort()
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return []
    throw error
  }
}
