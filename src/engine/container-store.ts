/**
 * The folders of the engine's containers. There is no database and no lock for all:
 *
 *   <data root>/containers/<id>/      container.json, config.json, log, exit, attach.sock, rootfs/
 *   <data root>/names/<name>          symbolic link to the id: making it is how a name is taken
 *   <data root>/unfinished/<id>       while the container is half made; its maker holds flock(2) on it
 *
 * A free lock on an unfinished mark says that the maker was killed: whoever meets it removes the
 * container. A name is linked after the folder exists and unlinked before it goes, so that no name
 * ever points to nothing. Every other change to a container is made under flock(2) on its folder.
 */
import { randomBytes } from 'node:crypto'
import {
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { isStillAt, takeLock } from '../native/file-lock.ts'
import { OwnedFd, openIfThere } from '../native/owned-fd.ts'
import { flock } from '../native/syscalls.ts'
import { existsAt, namesIn, readTextIfThere } from '../util/if-there.ts'
import { nameFile } from '../util/name-file.ts'
import { nearestWord } from '../util/nearest-word.ts'
import { checkName, randomName } from './container-names.ts'
import { type ContainerRecord, parseRecord, shortId } from './container-record.ts'

const MAX_NAME_ATTEMPTS = 20
const KEEP_VOLUMES = 'keep volumes\n'

/** A container being made: its mark and its folder, both locked by this process. */
export class UnfinishedContainer implements Disposable {
  readonly id: string
  readonly directory: string
  readonly #mark: OwnedFd
  readonly #lock: OwnedFd
  readonly #markPath: string

  constructor(id: string, directory: string, markPath: string, mark: OwnedFd, lock: OwnedFd) {
    this.id = id
    this.directory = directory
    this.#markPath = markPath
    this.#mark = mark
    this.#lock = lock
  }

  /** The container is complete: from now on it lives without this process. */
  finish(): void {
    unlinkSync(this.#markPath)
    this[Symbol.dispose]()
  }

  [Symbol.dispose](): void {
    this.#mark.close()
    this.#lock.close()
  }
}

export class ContainerStore {
  readonly #containers: string
  readonly #names: string
  readonly #unfinished: string

  constructor(dataRoot: string) {
    this.#containers = join(dataRoot, 'containers')
    this.#names = join(dataRoot, 'names')
    this.#unfinished = join(dataRoot, 'unfinished')
  }

  /** A new empty folder, marked as unfinished and locked. */
  create(): UnfinishedContainer {
    for (const folder of [this.#containers, this.#names, this.#unfinished]) {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
    }
    for (;;) {
      const id = randomBytes(32).toString('hex')
      const markPath = join(this.#unfinished, id)
      const mark = new OwnedFd(openSync(markPath, 'wx', 0o600))
      // A sweeper may have found the mark before it was locked: then this id is lost to it.
      if (flock(mark.fd, 'exclusive', false) && isStillAt(mark.fd, markPath)) {
        mkdirSync(this.directory(id), { mode: 0o700 })
        const lock = this.#open(id)
        if (lock !== undefined && flock(lock.fd, 'exclusive', false)) {
          return new UnfinishedContainer(id, this.directory(id), markPath, mark, lock)
        }
        lock?.close()
      }
      mark.close()
    }
  }

  /** Gives the unfinished container of `record` its name; `name` undefined takes a free random one. */
  claimName(record: Omit<ContainerRecord, 'name'>, name: string | undefined): ContainerRecord {
    if (name !== undefined) checkName(name)
    for (let attempt = 0; ; attempt++) {
      const named: ContainerRecord = { ...record, name: name ?? randomName(attempt) }
      this.write(named)
      if (this.#linkName(named)) return named
      if (name !== undefined || attempt >= MAX_NAME_ATTEMPTS) throw this.#nameConflict(named.name)
    }
  }

  /**
   * Gives a container another name; the caller holds its lock. Killed half way it leaves a name that is not
   * in the record of its container: whoever wants that name takes it.
   */
  rename(record: ContainerRecord, name: string): void {
    checkName(name)
    const renamed: ContainerRecord = { ...record, name }
    if (!this.#linkName(renamed)) throw this.#nameConflict(name)
    this.write(renamed)
    if (this.idOfName(record.name) === record.id) unlinkSync(join(this.#names, record.name))
  }

  directory(id: string): string {
    return join(this.#containers, id)
  }

  ids(): string[] {
    return namesIn(this.#containers)
  }

  /** Ids of containers whose making never ended, or still goes on. */
  unfinished(): string[] {
    return namesIn(this.#unfinished)
  }

  isUnfinished(id: string): boolean {
    return existsAt(join(this.#unfinished, id))
  }

  /** The container that an id, a name or the beginning of an id stands for. */
  find(text: string): string {
    if (/^[0-9a-f]{64}$/.test(text) && existsAt(this.directory(text))) return text
    const named = this.idOfName(text)
    if (named !== undefined) return named
    const matches = /^[0-9a-f]+$/.test(text) ? this.ids().filter((id) => id.startsWith(text)) : []
    if (matches.length === 1 && matches[0] !== undefined) return matches[0]
    if (matches.length === 0) throw this.#notFound(text)
    throw new TsrunError(
      'invalid-argument',
      `cannot choose a container by "${text}": ${matches.length} ids begin with it`,
      { hint: 'give more digits, or the name' },
    )
  }

  /** The record, undefined when there is none (yet). */
  read(id: string): ContainerRecord | undefined {
    try {
      return parseRecord(readFileSync(join(this.directory(id), 'container.json'), 'utf8'), id)
    } catch (error) {
      if (errnoCodeOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  /** Replaces the record as a whole. Not synced: after a power cut no container runs that needs it. */
  write(record: ContainerRecord): void {
    const path = join(this.directory(record.id), 'container.json')
    nameFile(path, () => writeFileSync(`${path}.tmp`, JSON.stringify(record), { mode: 0o600 }))
    renameSync(`${path}.tmp`, path)
  }

  /** Waits for the container's lock; undefined when the container is gone. */
  async lock(id: string): Promise<OwnedFd | undefined> {
    const fd = this.#open(id)
    if (fd === undefined) return undefined
    try {
      await takeLock(fd.fd, 'exclusive')
    } catch (error) {
      fd.close()
      throw error
    }
    return this.#stillThere(id, fd)
  }

  /** The container's lock, undefined when another holds it or the container is gone. */
  tryLock(id: string): OwnedFd | undefined {
    const fd = this.#open(id)
    if (fd === undefined) return undefined
    if (flock(fd.fd, 'exclusive', false)) return this.#stillThere(id, fd)
    fd.close()
    return undefined
  }

  /** Takes over the mark of a killed maker; undefined while the maker lives. */
  tryTakeOver(id: string): OwnedFd | undefined {
    const path = join(this.#unfinished, id)
    const fd = openIfThere(path, constants.O_RDONLY)
    if (fd === undefined) return undefined
    if (flock(fd.fd, 'exclusive', false) && isStillAt(fd.fd, path)) return fd
    fd.close()
    return undefined
  }

  /**
   * From now on the container is one that is being removed. `volumes`: what becomes of those that were made for
   * it, whoever finishes the removal; they go with a container that was never complete.
   */
  markForRemoval(id: string, volumes: 'keep' | 'remove'): void {
    const text = volumes === 'keep' ? KEEP_VOLUMES : ''
    writeFileSync(join(this.#unfinished, id), text, { mode: 0o600 })
  }

  /** What {@link markForRemoval} was told. */
  keepsVolumes(id: string): boolean {
    return readTextIfThere(join(this.#unfinished, id)) === KEEP_VOLUMES
  }

  /**
   * Deletes name, folder and mark. The caller holds the lock and has unmounted the root. The mark
   * is set first: whoever comes after a kill in the middle finishes the removal.
   */
  remove(id: string): void {
    if (!this.isUnfinished(id)) this.markForRemoval(id, 'remove')
    const name = this.read(id)?.name
    if (name !== undefined && this.idOfName(name) === id) unlinkSync(join(this.#names, name))
    const directory = this.directory(id)
    for (const entry of namesIn(directory)) {
      const path = join(directory, entry)
      // Not recursive: a root that is still mounted must be an error, never a deletion.
      if (lstatSync(path).isDirectory()) rmdirSync(path)
      else unlinkSync(path)
    }
    rmSync(directory, { recursive: true, force: true })
    rmSync(join(this.#unfinished, id), { force: true })
  }

  /** All names with the ids they lead to; undefined where that container is not there. */
  names(): { readonly name: string; readonly id: string | undefined }[] {
    return namesIn(this.#names).map((name) => {
      const id = this.idOfName(name)
      return { name, id: id !== undefined && existsAt(this.directory(id)) ? id : undefined }
    })
  }

  /** Frees a name that leads to nothing. */
  removeName(name: string): void {
    rmSync(join(this.#names, name), { force: true })
  }

  /** The id of the container that has the name, undefined when none has it. */
  idOfName(name: string): string | undefined {
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(name)) return undefined
    try {
      return readlinkSync(join(this.#names, name))
    } catch (error) {
      const code = errnoCodeOf(error)
      if (code === 'ENOENT' || code === 'EINVAL') return undefined
      throw error
    }
  }

  // False when a container has the name.
  #linkName({ id, name }: ContainerRecord): boolean {
    const path = join(this.#names, name)
    for (;;) {
      try {
        symlinkSync(id, path)
        return true
      } catch (error) {
        if (errnoCodeOf(error) !== 'EEXIST') throw error
      }
      if (this.idOfName(name) === id) return true
      if (!this.#unlinkStale(name)) return false
    }
  }

  // Under a lock of all names: between the look and the removal nobody else may take the name.
  #unlinkStale(name: string): boolean {
    using names = new OwnedFd(openSync(this.#names, constants.O_RDONLY | constants.O_DIRECTORY))
    if (!flock(names.fd, 'exclusive', false)) return false
    const owner = this.idOfName(name)
    if (owner === undefined) return true
    if (existsAt(this.directory(owner))) {
      // Its lock is held while it gets its first record or another name.
      using lock = this.tryLock(owner)
      if (lock === undefined || this.read(owner)?.name === name) return false
    }
    unlinkSync(join(this.#names, name))
    return true
  }

  #notFound(text: string): TsrunError {
    const nearest = nearestWord(text, namesIn(this.#names))
    return new TsrunError('not-found', `no such container: ${text}`, {
      hint: nearest === undefined ? 'tsrun ps -a lists all' : `did you mean "${nearest}"?`,
    })
  }

  #nameConflict(name: string): TsrunError {
    const owner = this.idOfName(name)
    const by = owner === undefined ? 'another container' : `container ${shortId(owner)}`
    return new TsrunError(
      'already-exists',
      `cannot use the container name "${name}": it belongs to ${by}`,
      {
        hint: `remove it with tsrun rm ${name}, or choose another name`,
      },
    )
  }

  #open(id: string): OwnedFd | undefined {
    return openIfThere(this.directory(id), constants.O_RDONLY | constants.O_DIRECTORY)
  }

  #stillThere(id: string, fd: OwnedFd): OwnedFd | undefined {
    if (isStillAt(fd.fd, this.directory(id))) return fd
    fd.close()
    return undefined
  }
}
