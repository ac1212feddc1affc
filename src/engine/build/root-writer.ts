/** Writes entries into the root filesystem of a build, in batches; nothing it does can leave that root. */
import type { TarEntry } from '../../archive/tar-entries.ts'
import type { ModeChange } from '../../dockerfile/file-mode.ts'
import { TsrunError } from '../../errors.ts'
import { writeStreamedFile } from '../../images/streamed-file.ts'
import { type FileAttributes, FileBatch } from '../../native/file-batch.ts'
import { selfPath } from '../../native/open-in-root.ts'
import type { OwnedFd } from '../../native/owned-fd.ts'
import { fromByteText } from '../../util/byte-text.ts'
import { isHostRoot } from '../../util/host-user.ts'
import { splitPath } from '../../util/split-path.ts'
import type { Owner } from './copy-owner.ts'
import { RootModel, type RootNode } from './root-model.ts'

export interface RootWriterOptions {
  readonly root: OwnedFd
  /** Who gets what is made; root, or whom an entry names, when absent. */
  readonly owner: Owner | undefined
  /** Entries keep their owners where nobody is named. */
  readonly keepOwners: boolean
  readonly mode: ModeChange | undefined
  /**
   * What is copied does not depend on the root (`--link`): its links are not followed, its folders not asked for, and
   * what is of another kind than a folder or file that we make goes.
   */
  readonly blind: boolean
  /** Nanoseconds that no time may be after, and what nobody has named gets. */
  readonly latestTime: bigint | undefined
  /** Hears of what was not made. */
  readonly onSkipped: (path: string, reason: string) => void
}

export interface WriteStyle {
  /** A folder that is there keeps its owner and mode. */
  readonly keepsFolder?: true
  /**
   * What is of another kind than the entry goes, as unpacking an archive does. Without, folders join folders, also
   * those that links lead to, and nothing else takes the place of one or gives it.
   */
  readonly replaces?: true
  /** The owner that the entry names, unless the copy is for somebody. */
  readonly keepsOwner?: true
}

/** Larger files are written as they are read, past the batches. */
const MAX_BATCHED_FILE = 128 * 1024

/** All paths are byte strings below the root without leading slash; links on their way are followed inside it. */
export class RootWriter implements Disposable {
  readonly #options: RootWriterOptions
  readonly #model: RootModel
  readonly #batch: FileBatch
  /** Times of folders: set last, as making their entries changes them. */
  readonly #times = new Map<string, { readonly atime: bigint; readonly mtime: bigint }>()
  readonly #makesDevices = isHostRoot()
  readonly #now = BigInt(Date.now()) * 1_000_000n

  constructor(options: RootWriterOptions) {
    this.#options = options
    this.#model = new RootModel(options.root)
    this.#batch = new FileBatch(`${selfPath(options.root)}/.`)
  }

  /** What is at `path` once all that was asked for is done, a link at its end followed. */
  async at(path: string): Promise<RootNode['kind']> {
    await this.#batch.finish()
    const [folder, base] = splitPath(path)
    const real = base === '' ? '' : join(this.#folder(folder), base)
    if (this.#options.blind && !this.#model.isOurs(real)) return base === '' ? 'folder' : 'none'
    return this.#model.followed(real).kind
  }

  /** The real path of the folder that `path` leads to; it and those above it are made where missing. */
  makeFolder(path: string): string {
    return this.#folder(path)
  }

  /** Makes `entry` at `path`. */
  async write(path: string, entry: TarEntry, wanted: WriteStyle = {}): Promise<void> {
    const style: WriteStyle = this.#options.blind ? { ...wanted, replaces: true } : wanted
    const [folder, base] = splitPath(path)
    refuseReserved(base, entry)
    const parent = this.#folder(folder)
    const real = base === '' ? '' : join(parent, base)
    if (entry.type === 'directory') await this.#writeFolder(real, entry, style)
    else await this.#writeOther(real, entry, style)
    if (this.#batch.isFull) await this.#batch.start()
  }

  /** Waits for all that was asked for, then sets the times of folders. */
  async finish(): Promise<void> {
    await this.#batch.finish()
    for (const [path, { atime, mtime }] of this.#times) {
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
    this.#model[Symbol.dispose]()
    this.#batch[Symbol.dispose]()
  }

  #folder(path: string): string {
    const make = (missing: string) => {
      const { uid, gid } = this.#options.owner ?? ROOT
      this.#batch.makeFolder(missing, 0o755, this.#options.blind)
      this.#batch.folderAttributes(missing, { uid, gid, mode: 0o755, xattrs: [] })
      this.#model.note(missing, { kind: 'folder', isNew: true })
      const time = this.#options.latestTime ?? this.#now
      this.#times.set(missing, { atime: time, mtime: time })
    }
    return this.#model.resolveFolder(path, make, this.#options.blind)
  }

  async #writeFolder(path: string, entry: TarEntry, style: WriteStyle): Promise<void> {
    let there = path
    let node = this.#model.at(path)
    if (node.kind === 'link' && style.replaces !== true) {
      there = this.#model.resolveFolder(path, () => {
        throw conflict(path, 'it is a link to nothing')
      })
      node = this.#model.at(there)
    }
    if (node.kind !== 'folder') {
      if (node.kind !== 'none' && style.replaces !== true)
        throw conflict(path, 'a directory cannot replace a file')
      this.#batch.makeFolder(there, 0o700, node.kind !== 'none')
      this.#model.note(there, { kind: 'folder', isNew: true })
    } else if (style.keepsFolder === true) return
    const attributes = this.#attributesOf(entry, style)
    this.#batch.folderAttributes(there, attributes)
    this.#times.set(there, attributes)
  }

  async #writeOther(path: string, entry: TarEntry, style: WriteStyle): Promise<void> {
    if (path === '') throw conflict(path, 'a file cannot replace the root')
    if (this.#model.at(path).kind === 'folder') {
      if (style.replaces !== true) throw conflict(path, 'a file cannot replace a directory')
      await this.#removeFolder(path)
    }
    const attributes = this.#attributesOf(entry, style)
    switch (entry.type) {
      case 'file':
        await this.#writeFile(path, entry, attributes)
        break
      case 'symlink':
        if (entry.linkName === '' || entry.linkName.includes('\0'))
          throw conflict(path, 'its link target is empty or has a NUL byte')
        this.#batch.symlink(path, entry.linkName, attributes)
        return this.#model.note(path, { kind: 'link', target: entry.linkName })
      case 'link':
        return this.#writeLink(path, entry.linkName)
      default:
        if (!this.#writeNode(path, entry, attributes)) return
    }
    this.#model.note(path, { kind: 'file' })
  }

  async #writeFile(path: string, entry: TarEntry, attributes: FileAttributes): Promise<void> {
    if (entry.size > MAX_BATCHED_FILE || entry.sparse !== undefined) {
      using file = await this.#batch.openFile(path)
      await writeStreamedFile(file.fd, entry)
      this.#batch.fileAttributes(path, file, attributes)
      await this.#batch.finish()
      return
    }
    const chunks: Buffer[] = []
    for await (const chunk of entry.content) chunks.push(chunk)
    this.#batch.file(
      path,
      chunks.length === 1 ? (chunks[0] ?? EMPTY) : Buffer.concat(chunks),
      attributes,
    )
  }

  #writeLink(path: string, target: string): void {
    const [folder, base] = splitPath(target)
    const real = join(this.#folder(folder), base)
    if (real === path) return
    const node = this.#model.at(real)
    if (node.kind === 'folder' || node.kind === 'none')
      throw conflict(path, `the target of the hard link, "/${fromByteText(real)}", is no file`)
    this.#batch.hardLink(path, real, () => {
      throw conflict(path, `the target of the hard link, "/${fromByteText(real)}", is gone`)
    })
    this.#model.note(path, node)
  }

  #writeNode(path: string, entry: TarEntry, attributes: FileAttributes): boolean {
    const { type, deviceMajor: major, deviceMinor: minor } = entry
    if (type !== 'character-device' && type !== 'block-device' && type !== 'fifo') return false
    // In a user namespace nobody may, and nobody could open them (mknod(2)).
    if (type !== 'fifo' && !this.#makesDevices) {
      this.#options.onSkipped(path, 'it is a device node, which needs root')
      return false
    }
    if (!(major >= 0 && major <= 0xfff && minor >= 0 && minor <= 0xf_ffff))
      throw conflict(path, `a device number ${major}:${minor} does not exist`)
    this.#batch.node(path, { type, major, minor }, attributes)
    return true
  }

  async #removeFolder(path: string): Promise<void> {
    await this.#batch.removeTree(path)
    this.#model.note(path, { kind: 'none' })
    for (const key of this.#times.keys())
      if (key === path || key.startsWith(`${path}/`)) this.#times.delete(key)
  }

  #attributesOf(entry: TarEntry, style: WriteStyle): FileAttributes {
    const { owner, mode, latestTime, keepOwners } = this.#options
    const { uid, gid } = owner ?? (keepOwners || style.keepsOwner === true ? entry : ROOT)
    const clamp = (time: bigint) =>
      latestTime !== undefined && time > latestTime ? latestTime : time
    return {
      uid,
      gid,
      mode: mode === undefined ? entry.mode : mode(entry.mode, entry.type === 'directory'),
      mtime: clamp(entry.mtime),
      atime: clamp(entry.atime ?? entry.mtime),
      xattrs: usableXattrs(entry),
    }
  }
}

const ROOT = { uid: 0, gid: 0 }
const EMPTY = Buffer.alloc(0)

// What overlayfs says about layers is no content: a redirect would show other folders.
function usableXattrs({ xattrs }: TarEntry): TarEntry['xattrs'] {
  return xattrs.filter(
    ([name]) => !/^(trusted|user)\.overlay\./.test(name) && name !== '' && name.length <= 255,
  )
}

// In the layer that is made of the root such a file would take away another.
function refuseReserved(base: string, { name }: TarEntry): void {
  if (!base.startsWith('.wh.')) return
  throw new TsrunError(
    'not-implemented',
    `cannot copy "${fromByteText(name === '' ? base : name)}": in layers of images a name with ".wh." at its start means a file that is removed (image-spec layer.md)`,
    { hint: 'leave it out by .dockerignore or --exclude' },
  )
}

function conflict(path: string, problem: string): TsrunError {
  return new TsrunError('failed-precondition', `cannot write "/${fromByteText(path)}": ${problem}`)
}

function join(folder: string, base: string): string {
  return folder === '' ? base : `${folder}/${base}`
}
