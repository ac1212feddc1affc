/** Writes the entries of a layer into its folder, in overlayfs form. */
import type { TarEntry } from '../archive/tar-entries.ts'
import { TsrunError } from '../errors.ts'
import { type FileAttributes, FileBatch } from '../native/file-batch.ts'
import { filesystemSize, SpaceWatch } from '../util/free-space.ts'
import { binarySize } from '../util/size.ts'
import { LAYER_LIMITS } from './layer-limits.ts'
import type { LayerTree } from './layer-tree.ts'
import { writeStreamedFile } from './streamed-file.ts'

/** Larger files are written chunk by chunk as they arrive, past the batches. */
const MAX_BATCHED_FILE = 128 * 1024
const ENTRY_COST = 1024

type Attributes = Pick<TarEntry, 'mode' | 'uid' | 'gid' | 'mtime' | 'atime' | 'xattrs'>

export interface LayerWriterOptions {
  /** The layer's folder: empty, and writable by nobody else. */
  readonly folder: string
  readonly tree: LayerTree
  /** `trusted` for root, `user` in a user namespace (overlayfs `userxattr`). */
  readonly overlayXattrs: 'trusted' | 'user'
  readonly maxEntries?: number | undefined
}

/** A hard link whose target this layer does not have: one of the layers below must. */
export interface PendingLink {
  readonly path: string
  readonly target: string
}

export class LayerWriter implements Disposable {
  readonly pendingLinks: PendingLink[] = []
  /** Bytes of file content so far. */
  size = 0
  readonly #tree: LayerTree
  readonly #opaque: string
  readonly #makesDevices: boolean
  readonly #batch: FileBatch
  readonly #folder: string
  readonly #space: SpaceWatch
  readonly #maxEntries: number
  #entries = 0

  constructor({
    folder,
    tree,
    overlayXattrs,
    maxEntries = LAYER_LIMITS.entries,
  }: LayerWriterOptions) {
    this.#tree = tree
    this.#opaque = `${overlayXattrs}.overlay.opaque`
    this.#makesDevices = overlayXattrs === 'trusted'
    this.#folder = folder
    this.#maxEntries = maxEntries
    this.#space = new SpaceWatch(folder)
    this.#batch = new FileBatch(folder)
  }

  /** A folder that nobody has named, for something inside it. */
  impliedFolder = (path: string): void => {
    this.#makeFolder(path, 0o755)
  }

  folder(path: string, entry: Attributes): void {
    const isNew = path !== '' && !this.#tree.folders.has(path)
    const attributes = attributesOf(entry)
    const { mtime, atime } = attributes
    this.#tree.addFolder(path, { implied: false, mtime, atime })
    if (isNew) this.#makeFolder(path, 0o700)
    this.#batch.folderAttributes(path, attributes)
  }

  async file(path: string, entry: TarEntry): Promise<void> {
    checkHoles(entry, this.#folder)
    await this.#makeRoom(path)
    this.size += entry.size
    this.#space.willWrite(entry.size)
    const attributes = attributesOf(entry)
    const isSmall = entry.size <= MAX_BATCHED_FILE && entry.sparse === undefined
    if (!isSmall) return await this.#streamFile(path, entry, attributes)
    const chunks: Buffer[] = []
    for await (const chunk of entry.content) chunks.push(chunk)
    const [content = Buffer.alloc(0)] = chunks.length > 1 ? [Buffer.concat(chunks)] : chunks
    this.#batch.file(path, content, attributes)
  }

  async symlink(path: string, entry: TarEntry): Promise<void> {
    if (entry.linkName === '' || entry.linkName.includes('\0')) {
      throw new TsrunError('invalid-argument', 'its link target is empty or has a NUL byte')
    }
    await this.#makeRoom(path)
    this.#tree.noteLink(path, entry.linkName)
    const attributes = attributesOf(entry)
    this.#batch.symlink(path, entry.linkName, attributes)
    await this.#batch.pathXattrs(path, attributes.xattrs)
  }

  /** `target` is a real path of the layer, or one that it does not have. */
  async hardLink(path: string, target: string): Promise<void> {
    if (path === target) return
    if (this.#tree.folders.has(target))
      throw new TsrunError('invalid-argument', 'its link target is a folder')
    await this.#makeRoom(path)
    this.#batch.hardLink(path, target, () => this.pendingLinks.push({ path, target }))
    const symbolic = this.#tree.linkTarget(target)
    if (symbolic !== undefined) this.#tree.noteLink(path, symbolic)
  }

  async device(
    path: string,
    entry: TarEntry,
    type: 'character-device' | 'block-device' | 'fifo',
  ): Promise<void> {
    const { deviceMajor: major, deviceMinor: minor } = entry
    if (!(major >= 0 && major <= 0xfff && minor >= 0 && minor <= 0xf_ffff)) {
      throw new TsrunError('invalid-argument', `its device number ${major}:${minor} does not exist`)
    }
    await this.#makeRoom(path)
    // In a user namespace nobody may, and nobody could open them (mknod(2)): left out, as podman does.
    if (type !== 'fifo' && !this.#makesDevices) return
    const attributes = attributesOf(entry)
    this.#batch.node(path, { type, major, minor }, attributes)
    await this.#batch.pathXattrs(path, attributes.xattrs)
  }

  /** Hides `path` of the layers below, whatever of that name this layer itself has or will have. */
  whiteout(path: string): void {
    if (this.#tree.folders.has(path)) {
      this.opaque(path)
      return
    }
    this.#tree.noteWhiteout(path)
    this.#batch.whiteout(path)
  }

  /** Hides everything that the layers below have in the folder `path`. */
  opaque(path: string): void {
    this.#batch.folderXattrs(path, [[this.#opaque, Buffer.from('y')]])
  }

  /** To be awaited after each entry: keeps the batches small. */
  async continue(): Promise<void> {
    this.#countEntry()
    if (this.#batch.isFull) await this.#batch.start()
  }

  /** Waits for all that was asked for, then sets the times of the folders. */
  async finish(): Promise<void> {
    await this.#batch.finish()
    for (const [path, { implied, mtime, atime }] of this.#tree.folders) {
      if (implied && path !== '') continue
      this.#batch.times(path, atime, mtime)
      if (this.#batch.isFull) await this.#batch.start()
    }
    await this.#batch.finish()
  }

  /** Waits until no batch runs any more, after a failure. */
  async abandon(): Promise<void> {
    try {
      await this.#batch.finish()
    } catch {
      // The first failure is what the caller reports.
    }
  }

  [Symbol.dispose](): void {
    this.#batch[Symbol.dispose]()
  }

  #countEntry(): void {
    if (++this.#entries > this.#maxEntries)
      throw new TsrunError('invalid-argument', `it has more than ${this.#maxEntries} entries`)
    // What an empty file costs, about: an inode and its name.
    this.#space.willWrite(ENTRY_COST)
  }

  // A folder that stood there goes with all it has; other things are replaced by the batch itself.
  async #makeRoom(path: string): Promise<void> {
    if (path === '')
      throw new TsrunError('invalid-argument', 'it would replace the root of the layer')
    if (!this.#tree.folders.has(path)) {
      this.#tree.forget(path)
      return
    }
    await this.#batch.removeTree(path)
    this.#tree.forgetFolder(path)
  }

  #makeFolder(path: string, mode: number): void {
    const hidesBelow = this.#tree.hasWhiteout(path)
    const isImplied = this.#tree.folders.get(path)?.implied ?? true
    // An implied folder replaces nothing but our own whiteout: a file in its place is the layer's fault.
    this.#batch.makeFolder(path, mode, hidesBelow || !isImplied)
    this.#tree.forget(path)
    if (hidesBelow) this.opaque(path)
  }

  async #streamFile(path: string, entry: TarEntry, attributes: FileAttributes): Promise<void> {
    using file = await this.#batch.openFile(path)
    await writeStreamedFile(file.fd, entry)
    this.#batch.fileAttributes(path, file, attributes)
    await this.#batch.finish()
  }
}

function attributesOf({ uid, gid, mode, mtime, atime, xattrs }: Attributes): FileAttributes {
  return { uid, gid, mode, mtime, atime: atime ?? mtime, xattrs: usableXattrs(xattrs) }
}

// Holes cost nothing until somebody copies the file, and then everything.
function checkHoles({ sparse }: TarEntry, folder: string): void {
  if (sparse === undefined) return
  const maximum = filesystemSize(folder)
  if (sparse.size <= maximum) return
  throw new TsrunError(
    'invalid-argument',
    `it has ${binarySize(sparse.size)} with its holes, where the whole file system of the store has ${binarySize(maximum)}`,
  )
}

// What overlayfs says about layers is not the image's to say: a redirect would show other folders.
function usableXattrs(xattrs: TarEntry['xattrs']): TarEntry['xattrs'] {
  const usable = xattrs.filter(([name]) => !/^(trusted|user)\.overlay\./.test(name))
  const bad = usable.find(([name]) => name === '' || name.length > 255 || name.includes('\0'))
  if (bad === undefined) return usable
  throw new TsrunError('invalid-argument', `its xattr name ${JSON.stringify(bad[0])} is malformed`)
}
