/**
 * The tree that one step of a build changes: a snapshot above the layers so far, and mounts of other trees that
 * the step sees.
 *
 *   <data root>/build/work/<id>/rootfs     the tree, mounted
 *   <data root>/build/work/<id>/mounts/<n>   what else is mounted for the step
 *   <data root>/build/work/<id>.lock       held by the build for as long as the step takes
 *
 * A free lock says that the build was killed: the next command removes the rest.
 */
import { randomBytes } from 'node:crypto'
import {
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { MS_NODEV, MS_NOEXEC, MS_NOSUID } from '../../linux/mount-flags.ts'
import { lockFile, tryLockFile } from '../../native/file-lock.ts'
import { bindDescriptor, mountFilesystem } from '../../native/mount-at.ts'
import { OwnedFd } from '../../native/owned-fd.ts'
import { mountOverlay, unmountOverlay } from '../../snapshots/mount-overlay.ts'
import { namesIn } from '../../util/if-there.ts'
import type { Engine } from '../engine.ts'

export class WorkTree implements Disposable {
  readonly #engine: Engine
  readonly #id: string
  readonly #lock: OwnedFd
  readonly #chainIds: readonly string[]
  #mounts = 0
  /** Where the tree is. */
  readonly root: string

  private constructor(engine: Engine, id: string, lock: OwnedFd, chainIds: readonly string[]) {
    this.#engine = engine
    this.#id = id
    this.#lock = lock
    this.#chainIds = chainIds
    // A tree above nothing is the writable folder itself: there is no overlay of one folder.
    this.root =
      chainIds.length === 0
        ? engine.snapshotter().writableFolder(keyOf(id))
        : join(workFolder(engine), id, 'rootfs')
  }

  /** A writable tree above the layers, from the base up. */
  static async open(engine: Engine, chainIds: readonly string[]): Promise<WorkTree> {
    const id = randomBytes(8).toString('hex')
    mkdirSync(workFolder(engine), { recursive: true, mode: 0o700 })
    const lock = await lockFile(lockPath(engine, id), 'exclusive')
    const tree = new WorkTree(engine, id, lock, chainIds)
    try {
      mkdirSync(join(workFolder(engine), id, 'rootfs'), { recursive: true, mode: 0o700 })
      mkdirSync(join(workFolder(engine), id, 'mounts'), { mode: 0o700 })
      const mounts = await engine.snapshotter().prepare(keyOf(id), chainIds)
      if (chainIds.length > 0) mountOverlay(mounts, tree.root)
      return tree
    } catch (error) {
      tree[Symbol.dispose]()
      throw error
    }
  }

  openRoot(): OwnedFd {
    return new OwnedFd(openSync(this.root, constants.O_RDONLY | constants.O_DIRECTORY))
  }

  /** What the step has written, without what is below. */
  get writtenFolder(): string {
    return this.#engine.snapshotter().writableFolder(keyOf(this.#id))
  }

  /** Mounts what the descriptor stands for and returns where. */
  addBind({ fd }: OwnedFd): string {
    const place = this.#newPlace(fstatSync(fd).isDirectory())
    bindDescriptor(fd, place)
    return place
  }

  /** A new folder that is on no disk, for secrets or for a program. */
  addMemory(holds: 'data' | 'program'): string {
    const place = this.#newPlace(true)
    const flags = MS_NOSUID | MS_NODEV | (holds === 'data' ? MS_NOEXEC : 0)
    mountFilesystem({ source: 'tmpfs', type: 'tmpfs', flags, data: 'mode=0700' }, place)
    return place
  }

  /** Mounts a tree above `below`, a chain of layers or a folder; what is written to it goes with the step. */
  async addOverlay(below: readonly string[] | string): Promise<string> {
    const snapshotter = this.#engine.snapshotter()
    const key = `${keyOf(this.#id)}-${this.#mounts}`
    const place = this.#newPlace(true)
    const mounts =
      typeof below === 'string'
        ? await snapshotter.prepareAbove(key, below)
        : await snapshotter.prepare(key, below)
    if (below.length === 0) return snapshotter.writableFolder(key)
    mountOverlay(mounts, place)
    return place
  }

  /** Makes what was written a layer of the store; the tree is gone then. */
  async commit(layer: {
    readonly chainId: string
    readonly diffId: string
    readonly size: number
  }): Promise<void> {
    this.unmount()
    const parent = this.#chainIds.at(-1)
    await this.#engine
      .snapshotter()
      .commit(keyOf(this.#id), { ...layer, ...(parent === undefined ? {} : { parent }) })
  }

  /** Takes the mounts away: afterwards what is in {@link writtenFolder} changes no more. */
  unmount(): void {
    unmountAll(this.#engine, this.#id)
  }

  [Symbol.dispose](): void {
    removeWork(this.#engine, this.#id)
    rmSync(lockPath(this.#engine, this.#id), { force: true })
    this.#lock.close()
  }

  #newPlace(isFolder: boolean): string {
    const place = join(workFolder(this.#engine), this.#id, 'mounts', String(this.#mounts++))
    if (isFolder) mkdirSync(place, { mode: 0o700 })
    else writeFileSync(place, '', { mode: 0o600, flag: 'wx' })
    return place
  }
}

/** Removes what killed builds have left. */
export function removeAbandonedWork(engine: Engine): void {
  for (const name of namesIn(workFolder(engine))) {
    const id = /^([0-9a-f]{16})\.lock$/.exec(name)?.[1]
    if (id === undefined) continue
    using lock = tryLockFile(lockPath(engine, id), 'exclusive')
    if (lock === undefined) continue
    removeWork(engine, id)
    rmSync(lockPath(engine, id), { force: true })
  }
}

function removeWork(engine: Engine, id: string): void {
  const snapshotter = engine.snapshotter()
  unmountAll(engine, id)
  for (const key of snapshotter.activeKeys())
    if (key === keyOf(id) || key.startsWith(`${keyOf(id)}-`)) snapshotter.remove(key)
  const folder = join(workFolder(engine), id)
  for (const name of namesIn(join(folder, 'mounts'))) removePlace(join(folder, 'mounts', name))
  for (const name of ['mounts', 'rootfs', '.']) {
    const path = join(folder, name)
    // Not recursive: what is still mounted must be an error, never a deletion.
    if (statSync(path, { throwIfNoEntry: false }) !== undefined) rmdirSync(path)
  }
}

function unmountAll(engine: Engine, id: string): void {
  const folder = join(workFolder(engine), id)
  for (const name of namesIn(join(folder, 'mounts'))) unmountOverlay(join(folder, 'mounts', name))
  unmountOverlay(join(folder, 'rootfs'))
}

function removePlace(path: string): void {
  if (statSync(path).isDirectory()) rmdirSync(path)
  else rmSync(path)
}

function keyOf(id: string): string {
  return `build-${id}`
}

function workFolder(engine: Engine): string {
  return join(engine.dataRoot, 'build', 'work')
}

function lockPath(engine: Engine, id: string): string {
  return join(workFolder(engine), `${id}.lock`)
}
