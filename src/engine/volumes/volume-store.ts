/**
 * The engine's volumes. There is no database and no lock for all:
 *
 *   <data root>/volumes/<name>/volume.json   what it is; written before the folder gets its name
 *   <data root>/volumes/<name>/_data/        its files, what containers see
 *   <data root>/volumes/<name>/users/<id>    an empty file for each container that uses it
 *   <data root>/volumes/<name>/copy…/        content of an image on its way into _data
 *   <data root>/volume-drafts/<random>/      being made or being removed; whoever does it holds flock(2) on it
 *
 * A volume appears and goes by one rename(2). flock(2) on its folder: shared to become a user, exclusive to fill
 * it, mount it or remove it. A user's file counts for as long as its container's folder is there.
 */
import { randomBytes } from 'node:crypto'
import {
  constants,
  existsSync,
  mkdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../../errors.ts'
import { isStillAt, takeLock } from '../../native/file-lock.ts'
import { detachMount } from '../../native/overlay-mount.ts'
import { type OwnedFd, openIfThere } from '../../native/owned-fd.ts'
import { flock } from '../../native/syscalls.ts'
import { isVolumeName, type VolumeSettings } from '../../spec/user-mount.ts'
import { syncFolder } from '../../util/atomic-write.ts'
import { namesIn } from '../../util/if-there.ts'
import { readJsonFile, writeJsonFile } from '../../util/json-file.ts'
import { nameFile } from '../../util/name-file.ts'
import { nearestWord } from '../../util/nearest-word.ts'
import { removeTree } from '../../util/remove-tree.ts'
import { objectEvent } from '../events/event.ts'
import { recordEvent } from '../events/event-log.ts'
import { mountSourceOf } from './driver-options.ts'
import { isVolume, type Volume } from './volume.ts'

/** A volume and the lock on it. */
export interface LockedVolume extends Disposable {
  readonly volume: Volume
  /** Its own folder; the files are in {@link VolumeStore.dataFolder}. */
  readonly folder: string
}

export class VolumeStore {
  readonly #volumes: string
  readonly #drafts: string
  readonly #containers: string
  readonly #dataRoot: string

  constructor(dataRoot: string) {
    this.#volumes = join(dataRoot, 'volumes')
    this.#drafts = join(dataRoot, 'volume-drafts')
    this.#containers = join(dataRoot, 'containers')
    this.#dataRoot = dataRoot
  }

  names(): string[] {
    return namesIn(this.#volumes).filter(isVolumeName).sort()
  }

  /** Undefined when there is none (any more). */
  read(name: string): Volume | undefined {
    if (!isVolumeName(name)) return undefined
    const path = join(this.folder(name), 'volume.json')
    const value = readJsonFile(path)
    if (value === undefined || isVolume(value, name)) return value
    throw new TsrunError(
      'failed-precondition',
      `cannot read volume "${name}": ${path} is damaged`,
      {
        hint: 'it was written by a newer tsrun or by somebody else; its files are beside it in _data',
      },
    )
  }

  find(name: string): Volume {
    const volume = this.read(name)
    if (volume === undefined) throw this.notFound(name)
    return volume
  }

  notFound(name: string): TsrunError {
    const nearest = nearestWord(name, this.names())
    return new TsrunError('not-found', `no such volume: ${name}`, {
      hint: nearest === undefined ? 'tsrun volume ls lists all' : `did you mean "${nearest}"?`,
    })
  }

  folder(name: string): string {
    return join(this.#volumes, name)
  }

  /** Where the files are. */
  dataFolder(name: string): string {
    return join(this.folder(name), '_data')
  }

  /** Makes the volume unless there is one of this name, with the lock on it. */
  async open(
    wanted: Omit<Volume, 'version' | 'createdAt'>,
    mode: 'shared' | 'exclusive',
  ): Promise<LockedVolume> {
    checkVolumeName(wanted.name)
    for (;;) {
      const locked = await this.lock(wanted.name, mode)
      if (locked !== undefined) return locked
      mountSourceOf(wanted.name, wanted)
      this.#make(wanted)
    }
  }

  /** Makes the volume; false when there is one of this name. */
  create(name: string, settings: VolumeSettings & Pick<Volume, 'anonymous'>): boolean {
    checkVolumeName(name)
    mountSourceOf(name, settings)
    return this.#make({ ...settings, name })
  }

  /** The volume with the lock on it, for which it waits; undefined when it is not there. */
  async lock(name: string, mode: 'shared' | 'exclusive'): Promise<LockedVolume | undefined> {
    for (;;) {
      const fd = this.#openFolder(name)
      if (fd === undefined) return undefined
      try {
        await takeLock(fd.fd, mode)
        const volume = isStillAt(fd.fd, this.folder(name)) ? this.read(name) : undefined
        if (volume !== undefined)
          return { volume, folder: this.folder(name), [Symbol.dispose]: () => fd.close() }
      } catch (error) {
        fd.close()
        throw error
      }
      fd.close()
      if (!existsSync(join(this.folder(name), 'volume.json'))) return undefined
    }
  }

  /** From now on the container uses the volume. The caller holds the lock. */
  addUser({ folder }: LockedVolume, containerId: string): void {
    const path = join(folder, 'users', containerId)
    nameFile(path, () => writeFileSync(path, '', { mode: 0o600 }))
  }

  removeUser(name: string, containerId: string): void {
    if (isVolumeName(name)) rmSync(join(this.folder(name), 'users', containerId), { force: true })
  }

  isUser(name: string, containerId: string): boolean {
    return isVolumeName(name) && existsSync(join(this.folder(name), 'users', containerId))
  }

  /** Ids of the containers that use the volume. */
  users(name: string): string[] {
    return namesIn(join(this.folder(name), 'users')).filter((id) =>
      existsSync(join(this.#containers, id)),
    )
  }

  /** Removes a volume with all its files. The caller holds the exclusive lock and has looked for users. */
  remove({ volume, folder }: LockedVolume): void {
    const data = join(folder, '_data')
    if (mountSourceOf(volume.name, volume) !== undefined) {
      detachMount(data)
      // Not recursive: files below a mount that is still there are not the volume's.
      rmdirSync(data)
    }
    const draft = this.#newDraftPath()
    renameSync(folder, draft)
    syncFolder(this.#volumes)
    recordEvent(this.#dataRoot, objectEvent('volume', 'destroy', volume.name, { driver: 'local' }))
    removeTree(draft)
  }

  /** Removes what a killed maker or remover has left. */
  removeAbandoned(): void {
    for (const name of namesIn(this.#drafts)) {
      const path = join(this.#drafts, name)
      const fd = openIfThere(path, constants.O_RDONLY | constants.O_DIRECTORY)
      if (fd === undefined) continue
      if (flock(fd.fd, 'exclusive', false) && isStillAt(fd.fd, path)) removeTree(path)
      fd.close()
    }
  }

  #make(wanted: Omit<Volume, 'version' | 'createdAt'>): boolean {
    const draft = this.#newDraft()
    try {
      const volume: Volume = { version: 1, ...wanted, createdAt: new Date().toISOString() }
      mkdirSync(join(draft.path, '_data'), { mode: 0o755 })
      mkdirSync(join(draft.path, 'users'), { mode: 0o700 })
      writeJsonFile(join(draft.path, 'volume.json'), volume)
      renameSync(draft.path, this.folder(wanted.name))
      syncFolder(this.#volumes)
      recordEvent(this.#dataRoot, objectEvent('volume', 'create', wanted.name, { driver: 'local' }))
      return true
    } catch (error) {
      removeTree(draft.path)
      // Somebody else was faster.
      if (['EEXIST', 'ENOTEMPTY'].includes(errnoCodeOf(error) ?? '')) return false
      throw error
    } finally {
      draft.lock.close()
    }
  }

  #newDraft(): { readonly path: string; readonly lock: OwnedFd } {
    for (const folder of [this.#volumes, this.#drafts])
      nameFile(folder, () => mkdirSync(folder, { recursive: true, mode: 0o700 }))
    for (;;) {
      const path = this.#newDraftPath()
      nameFile(path, () => mkdirSync(path, { mode: 0o700 }))
      const lock = openIfThere(path, constants.O_RDONLY | constants.O_DIRECTORY)
      // A sweeper may have found the folder before it was locked: then it is lost to it.
      if (lock !== undefined && flock(lock.fd, 'exclusive', false) && isStillAt(lock.fd, path))
        return { path, lock }
      lock?.close()
    }
  }

  #newDraftPath(): string {
    return join(this.#drafts, randomBytes(12).toString('hex'))
  }

  #openFolder(name: string): OwnedFd | undefined {
    if (!isVolumeName(name)) return undefined
    return openIfThere(this.folder(name), constants.O_RDONLY | constants.O_DIRECTORY)
  }
}

/** A name for a volume that was given none, as docker's: 64 hexadecimal digits. */
export function anonymousVolumeName(): string {
  return randomBytes(32).toString('hex')
}

export function checkVolumeName(name: string): void {
  if (isVolumeName(name)) return
  throw new TsrunError(
    'invalid-argument',
    `cannot use the volume name ${JSON.stringify(name)}: only [a-zA-Z0-9][a-zA-Z0-9_.-]* is allowed, at most 255 of them`,
    { hint: 'give an absolute path to mount a folder of the host' },
  )
}
