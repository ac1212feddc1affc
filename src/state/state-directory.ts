/**
 * The folders of the OCI runtime: one for each container, below one root.
 *
 *   <root>/<id>/             mode 0700; its maker holds flock(2) on it until it is complete
 *   <root>/<id>/state.json   written whole when init is ready, and removed first: absent, the
 *                            container is half made, and of the rest only `cgroup` means anything
 *   <root>/<id>/config.json  the config as it was at create
 *   <root>/<id>/start        the start gate's socket; gone once the container was started
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { type ContainerRecord, parseContainerRecord } from './container-record.ts'

const ID_PATTERN = /^[A-Za-z0-9_+-][A-Za-z0-9_+.-]*$/
const MAX_ID_LENGTH = 1024

/** runc's rule for container ids; throws `invalid-argument`. */
export function checkContainerId(id: string): void {
  if (id !== '' && id.length <= MAX_ID_LENGTH && ID_PATTERN.test(id)) return
  throw new TsrunError('invalid-argument', `invalid container ID format: ${JSON.stringify(id)}`, {
    hint: 'use letters, digits, _ + . and -, not starting with a dot',
  })
}

export function containerDirectory(root: string, id: string): string {
  return join(root, id)
}

/** Makes `<root>` and a new `<root>/<id>`; false when the id is taken. */
export function makeContainerDirectory(root: string, id: string, sticky: boolean): boolean {
  const directory = containerDirectory(root, id)
  try {
    if (!sticky && isMade(directory)) return true
  } catch (error) {
    if (errnoCodeOf(error) !== 'ENOENT') throw error
  }
  mkdirSync(root, { recursive: true, mode: 0o700 })
  // The sticky bit keeps cleaners of $XDG_RUNTIME_DIR away (XDG base directory specification).
  if (sticky) chmodSync(root, 0o1700)
  return isMade(directory)
}

function isMade(directory: string): boolean {
  try {
    mkdirSync(directory, { mode: 0o700 })
    return true
  } catch (error) {
    if (errnoCodeOf(error) === 'EEXIST') return false
    throw error
  }
}

/** Removes the container's folder, its record first. Nothing happens when there is none. */
export function removeContainerDirectory(root: string, id: string): void {
  const directory = containerDirectory(root, id)
  rmSync(join(directory, 'state.json'), { force: true })
  try {
    for (const name of readdirSync(directory)) unlinkSync(join(directory, name))
    rmdirSync(directory)
  } catch {
    // Somebody else is at it, or put a folder there: the slow way says what is wrong, if anything is.
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The record of a complete container, undefined when it is half made. Throws `not-found`. */
export function readContainerRecord(root: string, id: string): ContainerRecord | undefined {
  checkContainerId(id)
  const path = join(containerDirectory(root, id), 'state.json')
  try {
    return parseContainerRecord(readFileSync(path, 'utf8'), path)
  } catch (error) {
    if (errnoCodeOf(error) !== 'ENOENT') throw error
  }
  if (containerExists(root, id)) return undefined
  throw containerNotFound(id)
}

export function containerNotFound(id: string): TsrunError {
  return new TsrunError('not-found', `container "${id}" does not exist`)
}

export function containerExists(root: string, id: string): boolean {
  return existsSync(containerDirectory(root, id))
}

/** Writes `name` in the folder of a container in the making, which nobody reads before its record is there. */
export function writeContainerFile(root: string, id: string, name: string, text: string): void {
  writeFileSync(join(containerDirectory(root, id), name), text, { mode: 0o600 })
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

export function readContainerFile(root: string, id: string, name: string): string {
  return readFileSync(join(containerDirectory(root, id), name), 'utf8')
}

/** Ids of all container folders, half-made ones too, sorted. */
export function listContainerIds(root: string): readonly string[] {
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
