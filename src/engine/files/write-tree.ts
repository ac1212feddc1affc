/**
 * Writes tar entries into a folder, also of a container that runs and changes the folder meanwhile: every
 * folder on the way is opened without following a link, and what is made gets its owner and mode by
 * descriptor, never by a name that could have become a link to somewhere else.
 */
import {
  chmodSync,
  chownSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  futimesSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs'
import { entryComponents } from '../../archive/entry-path.ts'
import type { TarEntry } from '../../archive/tar-entries.ts'
import { errnoCodeOf, TsrunError } from '../../errors.ts'
import { writeStreamedFile } from '../../images/streamed-file.ts'
import { makeNode } from '../../native/make-node.ts'
import { entryPath, openEntry, selfPath } from '../../native/open-in-root.ts'
import { OwnedFd } from '../../native/owned-fd.ts'
import { writeXattrs } from '../../native/xattrs.ts'
import { fromByteText } from '../../util/byte-text.ts'

export interface WriteTreeOptions {
  /** Who gets what is made; the owner that an entry names when absent. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined
  /** Also set-user-ID bits, file capabilities and device nodes: what gives power to who can reach it. */
  readonly privileged: boolean
  /** Hears of what was not made. */
  readonly onSkipped: (path: string, reason: string) => void
}

interface Parent {
  readonly folder: OwnedFd
  readonly base: string
}

/** Makes `entries` below `root`; what is there already stays, where a new entry does not replace it. */
export async function writeTree(
  root: OwnedFd,
  entries: AsyncIterable<TarEntry>,
  options: WriteTreeOptions,
): Promise<void> {
  using writer = new TreeWriter(root, options)
  for await (const entry of entries) await writer.write(entry)
  writer.finish()
}

class TreeWriter implements Disposable {
  readonly #root: OwnedFd
  readonly #options: WriteTreeOptions
  /** The folders of the last entry's path, outermost first. */
  #way: { readonly name: string; readonly folder: OwnedFd }[] = []
  /** Times of new folders: set last, as making their entries changes them. */
  readonly #folders: { readonly path: readonly string[]; readonly entry: TarEntry }[] = []

  constructor(root: OwnedFd, options: WriteTreeOptions) {
    this.#root = root
    this.#options = options
  }

  async write(entry: TarEntry): Promise<void> {
    const path = entryComponents(entry.name)
    if (path.length === 0) return
    try {
      await this.#make(path, entry)
    } catch (cause) {
      if (cause instanceof TsrunError || errnoCodeOf(cause) === undefined) throw cause
      throw writeError(entry.name, cause)
    }
  }

  finish(): void {
    for (const { path, entry } of this.#folders.reverse()) {
      const { folder, base } = this.#parentOf(path)
      setTimes(entryPath(folder, base), entry)
    }
  }

  [Symbol.dispose](): void {
    this.#leave(0)
  }

  async #make(path: readonly string[], entry: TarEntry): Promise<void> {
    const parent = this.#parentOf(path)
    const there = entryPath(parent.folder, parent.base)
    switch (entry.type) {
      case 'directory':
        return this.#makeFolder(parent, path, entry)
      case 'file':
        return await this.#makeFile(parent, entry)
      case 'symlink':
        replacing(there, () => symlinkSync(Buffer.from(entry.linkName, 'latin1'), there))
        this.#own(there, entry)
        return setTimes(there, entry)
      case 'link':
        return this.#makeLink(parent, entry)
      case 'fifo':
      case 'character-device':
      case 'block-device':
        return this.#makeNode(parent, entry, entry.type)
    }
  }

  #makeFolder({ folder, base }: Parent, path: readonly string[], entry: TarEntry): void {
    const there = entryPath(folder, base)
    try {
      mkdirSync(there, { mode: 0o700 })
    } catch (error) {
      if (errnoCodeOf(error) !== 'EEXIST') throw error
      // What is a folder already keeps its owner and mode: its entries join those that it has.
      using known = openEntry(folder, base)
      if (known !== undefined && fstatSync(known.fd).isDirectory()) return
      throw new TsrunError(
        'failed-precondition',
        `cannot overwrite non-directory "${fromByteText(entry.name)}" with directory`,
      )
    }
    using made = openEntry(folder, base)
    if (made === undefined || !fstatSync(made.fd).isDirectory()) return
    const { uid, gid } = this.#options.owner ?? entry
    chownSync(selfPath(made), uid, gid)
    chmodSync(selfPath(made), this.#modeOf(entry))
    this.#folders.push({ path, entry })
  }

  async #makeFile({ folder, base }: Parent, entry: TarEntry): Promise<void> {
    const there = entryPath(folder, base)
    using file = openNew(there) ?? openExisting(folder, base, entry.name)
    await writeStreamedFile(file.fd, entry)
    // In this order: chown(2) clears set-user-ID bits and file capabilities.
    const { uid, gid } = this.#options.owner ?? entry
    fchownSync(file.fd, uid, gid)
    fchmodSync(file.fd, this.#modeOf(entry))
    const xattrs = entry.xattrs.filter(
      ([name]) => this.#options.privileged || name.startsWith('user.'),
    )
    writeXattrs(file.fd, xattrs)
    futimesSync(file.fd, Number(entry.atime ?? entry.mtime) / 1e9, Number(entry.mtime) / 1e9)
  }

  #makeLink({ folder, base }: Parent, entry: TarEntry): void {
    // The way to the target takes the place of the way to the link.
    using own = new OwnedFd(openSync(`${selfPath(folder)}/.`, constants.O_RDONLY))
    const target = this.#parentOf(entryComponents(entry.linkName))
    const to = entryPath(own, base)
    try {
      replacing(to, () => linkSync(entryPath(target.folder, target.base), to))
    } catch (error) {
      if (errnoCodeOf(error) !== 'ENOENT') throw error
      this.#options.onSkipped(entry.name, 'the target of the hard link is not there')
    }
  }

  #makeNode(
    { folder, base }: Parent,
    entry: TarEntry,
    type: 'fifo' | 'character-device' | 'block-device',
  ): void {
    if (type !== 'fifo' && !this.#options.privileged) {
      this.#options.onSkipped(entry.name, 'it is a device node')
      return
    }
    const there = entryPath(folder, base)
    replacing(there, () => makeNode(folder, base, { ...entry, type }))
    this.#own(there, entry)
    using made = openEntry(folder, base)
    if (made === undefined) return
    const stats = fstatSync(made.fd)
    if (stats.isFIFO() || stats.isCharacterDevice() || stats.isBlockDevice())
      chmodSync(selfPath(made), this.#modeOf(entry))
    setTimes(there, entry)
  }

  // Of a link itself: lchown(2) follows none.
  #own(there: Buffer, entry: TarEntry): void {
    const { uid, gid } = this.#options.owner ?? entry
    lchownSync(there, uid, gid)
  }

  #modeOf({ mode }: TarEntry): number {
    return this.#options.privileged ? mode : mode & 0o1777
  }

  #parentOf(path: readonly string[]): Parent {
    const folders = path.slice(0, -1)
    let known = 0
    while (known < folders.length && this.#way[known]?.name === folders[known]) known++
    this.#leave(known)
    for (const name of folders.slice(known)) {
      const above = this.#way.at(-1)?.folder ?? this.#root
      this.#way.push({ name, folder: openFolder(above, name, path) })
    }
    return { folder: this.#way.at(-1)?.folder ?? this.#root, base: path.at(-1) ?? '' }
  }

  #leave(depth: number): void {
    for (const { folder } of this.#way.splice(depth)) folder.close()
  }
}

// A folder that nobody has named is made; a link on the way is refused, wherever it leads.
function openFolder(above: OwnedFd, name: string, path: readonly string[]): OwnedFd {
  const there = entryPath(above, name)
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
  try {
    return new OwnedFd(openSync(there, flags))
  } catch (error) {
    const code = errnoCodeOf(error)
    if (code === 'ENOTDIR' || code === 'ELOOP')
      throw new TsrunError(
        'failed-precondition',
        `cannot write "${fromByteText(path.join('/'))}": "${fromByteText(name)}" in its path is no directory`,
      )
    if (code !== 'ENOENT') throw error
  }
  mkdirSync(there, { mode: 0o755 })
  return new OwnedFd(openSync(there, flags))
}

const NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

// Undefined where the old file cannot be taken away: another file system is mounted on it.
function openNew(there: Buffer): OwnedFd | undefined {
  try {
    return new OwnedFd(replacing(there, () => openSync(there, NEW, 0o600)))
  } catch (error) {
    if (errnoCodeOf(error) === 'EBUSY') return undefined
    throw error
  }
}

function openExisting(folder: OwnedFd, base: string, name: string): OwnedFd {
  using place = openEntry(folder, base)
  if (place !== undefined && fstatSync(place.fd).isFile()) return openToOverwrite(place)
  throw new TsrunError(
    'failed-precondition',
    `cannot overwrite "${fromByteText(name)}": it is in use`,
  )
}

/** The regular file behind an O_PATH descriptor, emptied. */
export function openToOverwrite(place: OwnedFd): OwnedFd {
  const flags = constants.O_WRONLY | constants.O_TRUNC | constants.O_NONBLOCK
  return new OwnedFd(openSync(selfPath(place), flags))
}

/** What `make` makes, in the place of whatever is there and is no folder. */
function replacing<Result>(there: Buffer, make: () => Result): Result {
  try {
    return make()
  } catch (error) {
    if (errnoCodeOf(error) !== 'EEXIST') throw error
  }
  unlinkSync(there)
  return make()
}

function setTimes(there: Buffer, { atime, mtime }: TarEntry): void {
  try {
    lutimesSync(there, Number(atime ?? mtime) / 1e9, Number(mtime) / 1e9)
  } catch (error) {
    // Removed or replaced meanwhile.
    if (errnoCodeOf(error) !== 'ENOENT') throw error
  }
}

function writeError(name: string, cause: unknown): TsrunError {
  const errno = errnoCodeOf(cause) ?? ''
  const reasons: Readonly<Record<string, string>> = {
    EROFS: 'its file system is read-only',
    ENOSPC: 'no space is left',
    EDQUOT: 'a quota is used up',
    EISDIR: 'cannot overwrite directory with non-directory',
    EPERM: 'it is not permitted (EPERM)',
  }
  return new TsrunError(
    'failed-precondition',
    `cannot write "${fromByteText(name)}": ${reasons[errno] ?? errno}`,
    {
      cause,
      errno,
    },
  )
}
