/**
 * The snapshotter for overlayfs (Documentation/filesystems/overlayfs.rst):
 *
 *   <root>/layers/<hex of chain id>/fs      the layer, with overlay's whiteouts
 *   <root>/layers/<hex>/layer.json          LayerInfo; on disk, as all of fs/, before the folder gets its name
 *   <root>/active/<key>/{fs,work,snapshot.json}
 *   <root>/drafts/<hex>/fs                  being unpacked; its process holds `<hex>.lock`
 *   <root>/.lock                            shared: "I make a snapshot"; exclusive: layers are removed
 */
import { chmodSync, chownSync, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { lockFile, tryLockFile } from '../native/file-lock.ts'
import { syncFilesystem } from '../native/sync-filesystem.ts'
import { parseDigest } from '../oci/digest.ts'
import { syncFolder } from '../util/atomic-write.ts'
import { isHostRoot } from '../util/host-user.ts'
import { namesIn } from '../util/if-there.ts'
import { readJsonFile, writeJsonFile } from '../util/json-file.ts'
import { removeTree } from '../util/remove-tree.ts'
import type { Mount } from './mount.ts'
import type { LayerDraft, LayerInfo, Snapshotter } from './snapshotter.ts'

const KEY = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/

interface ActiveRecord {
  readonly chainIds: readonly string[]
  /** What is below instead of layers. */
  readonly above?: string
}

export class OverlaySnapshotter implements Snapshotter {
  readonly root: string
  readonly #layers: string
  readonly #active: string
  readonly #drafts: string
  readonly #lock: string

  /** Nothing is created before something is stored. */
  constructor(root: string) {
    this.root = root
    this.#layers = join(root, 'layers')
    this.#active = join(root, 'active')
    this.#drafts = join(root, 'drafts')
    this.#lock = join(root, '.lock')
  }

  hasLayer(chainId: string): boolean {
    return existsSync(this.#layerFolder(chainId))
  }

  layer(chainId: string): LayerInfo | undefined {
    return readJsonFile(join(this.#layerFolder(chainId), 'layer.json')) as LayerInfo | undefined
  }

  layers(): readonly string[] {
    return namesIn(this.#layers).map((hex) => `sha256:${hex}`)
  }

  layerFolders(chainIds: readonly string[]): readonly string[] {
    return chainIds.toReversed().map((chainId) => {
      if (!this.hasLayer(chainId)) {
        throw new TsrunError('not-found', `cannot find layer "${chainId}" in the store`, {
          hint: 'pull the image again',
        })
      }
      return join(this.#layerFolder(chainId), 'fs')
    })
  }

  async startLayer(chainId: string): Promise<LayerDraft | undefined> {
    this.#prepareFolders()
    if (this.hasLayer(chainId)) return undefined
    const path = join(this.#drafts, parseDigest(chainId).hex)
    const lock = await lockFile(`${path}.lock`, 'exclusive')
    const end = (): void => {
      removeTree(path)
      rmSync(`${path}.lock`, { force: true })
      lock.close()
    }
    if (this.hasLayer(chainId)) {
      end()
      return undefined
    }
    removeTree(path)
    mkdirSync(join(path, 'fs'), { recursive: true, mode: 0o700 })
    return {
      folder: join(path, 'fs'),
      commit: (info) => this.#commit(path, { ...info, chainId }),
      [Symbol.dispose]: end,
    }
  }

  async prepare(key: string, chainIds: readonly string[]): Promise<readonly Mount[]> {
    return await this.#prepare(key, { chainIds })
  }

  async prepareAbove(key: string, folder: string): Promise<readonly Mount[]> {
    // Each of them would end the path in the options of mount(2), or change what comes after it.
    if (/[:,\\]/.test(folder)) {
      throw new TsrunError(
        'invalid-argument',
        `cannot make an overlay above "${folder}": its path has one of : , \\ in it`,
      )
    }
    return await this.#prepare(key, { chainIds: [], above: folder })
  }

  async #prepare(key: string, record: ActiveRecord): Promise<readonly Mount[]> {
    checkKey(key)
    this.#prepareFolders()
    // No layer goes between the look at it and the record that says it is used.
    using _ = await lockFile(this.#lock, 'shared')
    const folder = join(this.#active, key)
    try {
      mkdirSync(folder, { mode: 0o700 })
    } catch (cause) {
      if (errnoCodeOf(cause) !== 'EEXIST') throw cause
      throw new TsrunError('already-exists', `cannot prepare snapshot "${key}": it exists`)
    }
    try {
      // The record first: from here on the layers are in use, then it is looked whether they are there.
      writeJsonFile(join(folder, 'snapshot.json'), record, { durable: false })
      const [top] = this.#lowerFolders(record)
      mkdirSync(join(folder, 'work'), { mode: 0o700 })
      mkdirSync(join(folder, 'fs'), { mode: 0o755 })
      if (top !== undefined) copyRootAttributes(top, join(folder, 'fs'))
    } catch (error) {
      this.remove(key)
      throw error
    }
    return this.mounts(key)
  }

  mounts(key: string): readonly Mount[] {
    const folder = this.#activeFolder(key)
    const lower = this.foldersBelow(key)
    const upper = join(folder, 'fs')
    if (lower.length === 0) return [{ type: 'bind', source: upper, options: ['rbind'] }]
    const options = [
      `lowerdir=${lower.join(':')}`,
      `upperdir=${upper}`,
      `workdir=${join(folder, 'work')}`,
      // As the layers were unpacked.
      ...(isHostRoot() ? [] : ['userxattr']),
    ]
    return [{ type: 'overlay', source: 'overlay', options }]
  }

  chainOf(key: string): readonly string[] {
    return this.#record(key)?.chainIds ?? []
  }

  foldersBelow(key: string): readonly string[] {
    const record = this.#record(key)
    if (record === undefined) throw new TsrunError('not-found', `cannot find snapshot "${key}"`)
    return this.#lowerFolders(record)
  }

  writableFolder(key: string): string {
    return join(this.#activeFolder(key), 'fs')
  }

  remove(key: string): void {
    removeTree(this.#activeFolder(key))
  }

  async commit(key: string, { chainId, ...info }: LayerInfo): Promise<void> {
    using draft = await this.startLayer(chainId)
    if (draft !== undefined) {
      // Upper folders and layers hold whiteouts and opaque folders in the same form.
      renameSync(this.writableFolder(key), draft.folder)
      await draft.commit(info)
    }
    this.remove(key)
  }

  activeKeys(): readonly string[] {
    return namesIn(this.#active)
  }

  async removeLayers(usedChainIds: ReadonlySet<string>): Promise<readonly string[]> {
    this.#prepareFolders()
    using _ = await lockFile(this.#lock, 'exclusive')
    const unused = this.unusedLayers(usedChainIds)
    for (const chainId of unused) await this.#removeLayer(parseDigest(chainId).hex)
    return unused
  }

  unusedLayers(usedChainIds: ReadonlySet<string>): readonly string[] {
    const used = new Set(usedChainIds)
    for (const key of this.activeKeys())
      for (const id of this.#record(key)?.chainIds ?? []) used.add(id)
    // A set hands out what is added while it is read: whole chains, down to their bases.
    for (const id of used) {
      const parent = this.layer(id)?.parent
      if (parent !== undefined) used.add(parent)
    }
    return this.layers().filter((id) => !used.has(id))
  }

  problemOf(chainId: string): string | undefined {
    const info = layerInfoOf(this, chainId)
    if (info === undefined) return 'its layer.json is missing or cannot be read'
    if (info.chainId !== chainId) return `its layer.json is that of "${info.chainId}"`
    if (!existsSync(join(this.#layerFolder(chainId), 'fs'))) return 'its files are missing'
    if (info.parent !== undefined && !this.hasLayer(info.parent))
      return `the layer "${info.parent}" below it is missing`
    return undefined
  }

  async discardLayer(chainId: string): Promise<void> {
    this.#prepareFolders()
    using _ = await lockFile(this.#lock, 'exclusive')
    await this.#removeLayer(parseDigest(chainId).hex)
  }

  removeAbandoned(): void {
    for (const name of namesIn(this.#drafts)) {
      const path = join(this.#drafts, name.replace(/\.lock$/, ''))
      const lock = tryLockFile(`${path}.lock`, 'exclusive')
      if (lock === undefined) continue
      removeTree(path)
      rmSync(`${path}.lock`, { force: true })
      lock.close()
    }
  }

  // Out of sight first, by one rename: nobody ever mounts a layer that is half removed.
  async #removeLayer(hex: string): Promise<void> {
    const draft = join(this.#drafts, hex)
    using _ = await lockFile(`${draft}.lock`, 'exclusive')
    removeTree(draft)
    renameSync(join(this.#layers, hex), draft)
    removeTree(draft)
    rmSync(`${draft}.lock`, { force: true })
  }

  async #commit(path: string, info: LayerInfo): Promise<void> {
    if (info.parent !== undefined && !this.hasLayer(info.parent)) {
      throw new TsrunError(
        'failed-precondition',
        `cannot commit layer "${info.chainId}": the layer "${info.parent}" below it is not there`,
        { hint: 'pull the image again' },
      )
    }
    // All files before the name that says they are whole: one call for thousands of them, where fsync(2)
    // of each would take minutes.
    await syncFilesystem(path).catch((cause: unknown) => {
      throw diskError(info.chainId, cause)
    })
    writeJsonFile(join(path, 'layer.json'), info)
    renameSync(path, this.#layerFolder(info.chainId))
    syncFolder(this.#layers)
  }

  #lowerFolders({ chainIds, above }: ActiveRecord): readonly string[] {
    return above === undefined ? this.layerFolders(chainIds) : [above]
  }

  #record(key: string): ActiveRecord | undefined {
    return readJsonFile(join(this.#activeFolder(key), 'snapshot.json')) as ActiveRecord | undefined
  }

  #activeFolder(key: string): string {
    checkKey(key)
    return join(this.#active, key)
  }

  #layerFolder(chainId: string): string {
    return join(this.#layers, parseDigest(chainId).hex)
  }

  #prepareFolders(): void {
    for (const folder of [this.#layers, this.#active, this.#drafts]) {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
    }
  }
}

function layerInfoOf(snapshotter: Snapshotter, chainId: string): LayerInfo | undefined {
  try {
    return snapshotter.layer(chainId)
  } catch (error) {
    if (error instanceof TsrunError) return undefined
    throw error
  }
}

function diskError(chainId: string, cause: unknown): TsrunError {
  const errno = errnoCodeOf(cause)
  return new TsrunError('internal', `cannot write layer "${chainId}" to the disk`, {
    cause,
    ...(errno === undefined ? {} : { errno }),
    hint: 'look for errors of the disk in the kernel log (dmesg)',
  })
}

// The root of an overlay has the attributes of its uppermost folder.
function copyRootAttributes(from: string, to: string): void {
  const { mode, uid, gid } = statSync(from)
  chownSync(to, uid, gid)
  chmodSync(to, mode & 0o7777)
}

function checkKey(key: string): void {
  if (!KEY.test(key))
    throw new TsrunError('invalid-argument', `cannot use snapshot key ${JSON.stringify(key)}`)
}
