/**
 * Reads a file or a tree of a container as tar entries. Whoever is in the container may change it meanwhile:
 * each name is opened once, in its folder and without following a link, and what is behind the descriptor is
 * what counts. Nothing but folders and regular files is opened for reading.
 */
import {
  type BigIntStats,
  constants,
  fstatSync,
  openSync,
  read as readCallback,
  readdirSync,
  readlinkSync,
  readSync,
} from 'node:fs'
import { promisify } from 'node:util'
import type { TarEntry, TarEntryType } from '../../archive/tar-entries.ts'
import { errnoCodeOf } from '../../errors.ts'
import { entryPath, openEntry, selfPath } from '../../native/open-in-root.ts'
import { OwnedFd } from '../../native/owned-fd.ts'
import { dataPieces } from '../../native/sparse-pieces.ts'
import { hasXattrs, listXattrs, readXattr } from '../../native/xattrs.ts'

const read = promisify(readCallback)
const CHUNK = 256 * 1024
const MAX_PATH = 4095
const SMALL = 64 * 1024
/** Below this a file is not looked at for holes. */
const SPARSE_FROM = 64 * 1024

export interface ReadTreeOptions {
  /** Hears of what no tar can hold. */
  readonly onSkipped?: (path: string, reason: string) => void
  /** Where the top entry was found: its link's target and its attributes are read there. */
  readonly from?: EntryPlace | undefined
  /** Extended attributes to read beside `security.capability` and `user.*`. */
  readonly moreXattrs?: RegExp
  /** Leaves an entry out, with what is below it. */
  readonly isExcluded?: (path: string, stats: BigIntStats) => boolean
}

/**
 * The entries of the tree at `place`, outer ones first, the top one called `top`. With an empty `top` a
 * folder itself is left out and its entries have bare names.
 */
export async function* readTree(
  place: OwnedFd,
  top: string,
  options: ReadTreeOptions = {},
): AsyncGenerator<TarEntry> {
  yield* new TreeReader(options).read(place, top)
}

export interface EntryPlace {
  readonly folder: OwnedFd
  /** One component, a byte string. */
  readonly name: string
}

interface OpenFolder {
  readonly folder: OwnedFd
  readonly path: string
  readonly names: string[]
}

class TreeReader {
  readonly #options: ReadTreeOptions
  /** Files with several names, by device and inode. */
  readonly #linked = new Map<string, string>()
  readonly #open: OpenFolder[] = []

  constructor(options: ReadTreeOptions) {
    this.#options = options
  }

  async *read(place: OwnedFd, top: string): AsyncGenerator<TarEntry> {
    const stats = fstatSync(place.fd, { bigint: true })
    try {
      if (top !== '') yield* this.#entry(place, stats, top, this.#options.from)
      if (stats.isDirectory()) this.#enter(place, top)
      for (let at = this.#open.at(-1); at !== undefined; at = this.#open.at(-1)) {
        const name = at.names.shift()
        if (name === undefined) {
          this.#open.pop()
          at.folder.close()
        } else yield* this.#child(at, name)
      }
    } finally {
      for (const { folder } of this.#open) folder.close()
    }
  }

  async *#child({ folder, path }: OpenFolder, name: string): AsyncGenerator<TarEntry> {
    const full = path === '' ? name : `${path}/${name}`
    using place = openEntry(folder, name)
    // Removed since the folder was listed.
    if (place === undefined) return
    const stats = fstatSync(place.fd, { bigint: true })
    if (this.#options.isExcluded?.(full, stats) === true) return
    if (full.length > MAX_PATH) {
      this.#options.onSkipped?.(full, `its path is longer than ${MAX_PATH} bytes`)
      return
    }
    yield* this.#entry(place, stats, full, { folder, name })
    if (stats.isDirectory()) this.#enter(place, full)
  }

  #enter(place: OwnedFd, path: string): void {
    const folder = openFolder(place)
    this.#open.push({ folder, path, names: [] })
    const names = readdirSync(selfPath(folder), { encoding: 'latin1' })
    this.#open.at(-1)?.names.push(...names.sort())
  }

  async *#entry(
    place: OwnedFd,
    stats: BigIntStats,
    path: string,
    from: EntryPlace | undefined,
  ): AsyncGenerator<TarEntry> {
    const type = typeOf(stats)
    if (type === undefined) {
      this.#options.onSkipped?.(path, 'it is a socket')
      return
    }
    const base = { ...attributesOf(stats), type, name: path }
    const known = this.#linkOf(stats, path)
    if (known !== undefined) {
      yield { ...base, type: 'link', linkName: known }
      return
    }
    if (type === 'symlink') {
      const linkName = from === undefined ? undefined : targetOf(from.folder, from.name)
      if (linkName !== undefined) yield { ...base, linkName }
      return
    }
    const { moreXattrs } = this.#options
    if (type === 'file')
      yield* fileEntry(place, stats, base, (file) => xattrsOf(file, from, moreXattrs))
    else if (type === 'directory') {
      using folder = openFolder(place)
      yield { ...base, xattrs: xattrsOf(folder, from, moreXattrs) }
    } else yield base
  }

  #linkOf(stats: BigIntStats, path: string): string | undefined {
    // overlayfs makes all its whiteouts (0:0) one file with many names; each is to be seen as one.
    const isWhiteout = stats.isCharacterDevice() && stats.rdev === 0n
    if (stats.nlink < 2n || stats.isDirectory() || isWhiteout) return undefined
    const key = `${stats.dev}:${stats.ino}`
    const known = this.#linked.get(key)
    if (known === undefined) this.#linked.set(key, path)
    return known
  }
}

function openFolder(place: OwnedFd): OwnedFd {
  return new OwnedFd(openSync(`${selfPath(place)}/.`, constants.O_RDONLY | constants.O_DIRECTORY))
}

function typeOf(stats: BigIntStats): TarEntryType | undefined {
  if (stats.isFile()) return 'file'
  if (stats.isDirectory()) return 'directory'
  if (stats.isSymbolicLink()) return 'symlink'
  if (stats.isCharacterDevice()) return 'character-device'
  if (stats.isBlockDevice()) return 'block-device'
  return stats.isFIFO() ? 'fifo' : undefined
}

function attributesOf(stats: BigIntStats) {
  return {
    linkName: '',
    mode: Number(stats.mode & 0o7777n),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    size: 0,
    mtime: stats.mtimeNs,
    atime: stats.atimeNs,
    // makedev(3): 12 bits major, 20 bits minor, as the kernel gives them to user space.
    deviceMajor: Number((stats.rdev >> 8n) & 0xfffn),
    deviceMinor: Number((stats.rdev & 0xffn) | ((stats.rdev >> 12n) & 0xfff00n)),
    xattrs: [],
    sparse: undefined,
    content: nothing(),
  }
}

async function* nothing(): AsyncGenerator<Buffer> {}

// The file is opened behind the descriptor that was looked at: nobody can put a device in between.
async function* fileEntry(
  place: OwnedFd,
  found: BigIntStats,
  base: TarEntry,
  xattrsFrom: (file: OwnedFd) => TarEntry['xattrs'],
): AsyncGenerator<TarEntry> {
  using file = new OwnedFd(openSync(selfPath(place), constants.O_RDONLY | constants.O_NONBLOCK))
  const stats = { size: Number(found.size), blocks: Number(found.blocks) }
  const entry = { ...base, xattrs: xattrsFrom(file) }
  const mayHaveHoles = stats.size >= SPARSE_FROM && stats.blocks * 512 < stats.size
  const pieces = mayHaveHoles
    ? dataPieces(file.fd, stats.size)
    : [{ offset: 0, length: stats.size }]
  const size = pieces.reduce((total, { length }) => total + length, 0)
  const isSparse = size < stats.size
  yield {
    ...entry,
    size,
    sparse: isSparse ? { size: stats.size, pieces } : undefined,
    content: readPieces(file.fd, pieces),
  }
}

/** Exactly the bytes of the pieces; zeros where the file has become shorter meanwhile. */
async function* readPieces(
  fd: number,
  pieces: readonly { readonly offset: number; readonly length: number }[],
): AsyncGenerator<Buffer> {
  for (const { offset, length } of pieces) {
    for (let done = 0; done < length; ) {
      const chunk = Buffer.alloc(Math.min(CHUNK, length - done))
      // To wait for a thread costs more than to read a small file.
      const bytesRead =
        length <= SMALL
          ? readSync(fd, chunk, 0, chunk.length, offset + done)
          : (await read(fd, chunk, 0, chunk.length, offset + done)).bytesRead
      yield bytesRead === 0 ? chunk : chunk.subarray(0, bytesRead)
      done += bytesRead === 0 ? chunk.length : bytesRead
    }
  }
}

// Undefined when it is no link any more.
function targetOf(folder: OwnedFd, name: string): string | undefined {
  try {
    return readlinkSync(entryPath(folder, name), 'latin1')
  } catch (error) {
    const code = errnoCodeOf(error)
    if (code === 'EINVAL' || code === 'ENOENT') return undefined
    throw error
  }
}

const KEPT_XATTRS = /^(security\.capability$|user\.(?!overlay\.))/

function xattrsOf(
  place: OwnedFd,
  from: EntryPlace | undefined,
  more: RegExp | undefined,
): [string, Buffer][] {
  if (!hasXattrs(place.fd)) return []
  // A file that was found by following a link has no folder in which to look it up again.
  if (from === undefined && !fstatSync(place.fd).isDirectory()) return []
  const path =
    from === undefined ? Buffer.from(`${selfPath(place)}/.`) : entryPath(from.folder, from.name)
  try {
    return listXattrs(path)
      .filter((name) => KEPT_XATTRS.test(name) || more?.test(name) === true)
      .flatMap((name) => {
        const value = readXattr(path, name)
        return value === undefined ? [] : [[name, value] as [string, Buffer]]
      })
  } catch (error) {
    // Removed since it was opened.
    if (errnoCodeOf(error) === 'ENOENT') return []
    throw error
  }
}
