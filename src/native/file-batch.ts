/** Makes many files below one folder by few calls into the kernel's batches; nothing it does can leave that folder. */
import { constants, openSync } from 'node:fs'
import { SyscallError } from '../errors.ts'
import { errnoNumber } from '../linux/errno.ts'
import {
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_CREAT,
  O_EXCL,
  O_WRONLY,
  openFlagsFor,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
} from '../linux/open-flags.ts'
import type { Operand, Slot } from '../plan/instruction.ts'
import { removeTree } from '../util/remove-tree.ts'
import { splitPath } from '../util/split-path.ts'
import { BatchQueue } from './batch-queue.ts'
import { hostArchitecture } from './library.ts'
import { deviceNumber } from './make-node.ts'
import { OwnedFd } from './owned-fd.ts'
import { newBatch, runBatch } from './run-batch.ts'

export type Xattr = readonly [name: string, value: Uint8Array]

export interface FileAttributes {
  readonly uid: number
  readonly gid: number
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number
  /** Nanoseconds since the epoch. */
  readonly atime: bigint
  readonly mtime: bigint
  readonly xattrs: readonly Xattr[]
}

export interface FileNode {
  readonly type: 'character-device' | 'block-device' | 'fifo'
  readonly major: number
  readonly minor: number
}

const NODE_TYPES = {
  'character-device': S_IFCHR,
  'block-device': S_IFBLK,
  fifo: S_IFIFO,
} as const

/**
 * All paths are byte strings (latin1) below the root without leading slash, and real: folders on the way
 * are opened beneath the root and through no symbolic link. Methods note what is to be done; it is done
 * by {@link FileBatch.start} and {@link FileBatch.finish}, in the order of the calls. What stands in the way of
 * something new, and is no folder, is replaced. A failure is a SyscallError that names the entry as its path.
 */
export class FileBatch implements Disposable {
  readonly #folder: string
  readonly #root: OwnedFd
  readonly #queue: BatchQueue
  readonly #flags = openFlagsFor(hostArchitecture())

  /** `folder`: writable by nobody else as long as the batch is in use. */
  constructor(folder: string) {
    this.#folder = folder
    this.#root = new OwnedFd(openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY))
    this.#queue = new BatchQueue(this.#root.fd)
  }

  /** Whether it is time for {@link start}. */
  get isFull(): boolean {
    return this.#queue.isFull
  }

  /** Starts what was noted as soon as what was started before is done; resolves when that is. */
  async start(): Promise<void> {
    await this.#queue.start()
  }

  /** Does what was noted and waits for it. */
  async finish(): Promise<void> {
    await this.#queue.finish()
  }

  [Symbol.dispose](): void {
    this.#root.close()
  }

  /** Makes a folder. Without `replace`, something that stands there is an error (EEXIST). */
  makeFolder(path: string, mode: number, replace: boolean): void {
    this.#queue.entry(path, () => {
      const args: Operand[] = [...this.#place(path), mode]
      if (replace) this.#replacing(path, 'mkdirat', args)
      else this.#queue.builder.run('mkdirat', args)
    })
  }

  /** Owner, mode and xattrs of a folder, not its times, which making its entries would change again. */
  folderAttributes(
    path: string,
    { uid, gid, mode, xattrs }: Omit<FileAttributes, 'atime' | 'mtime'>,
  ): void {
    this.#queue.entry(path, () => {
      this.#owner(path, uid, gid)
      this.#mode(path, mode)
    })
    this.folderXattrs(path, xattrs)
  }

  folderXattrs(path: string, xattrs: readonly Xattr[]): void {
    if (xattrs.length === 0) return
    this.#queue.entry(path, () => {
      if (path === '') {
        this.#xattrs(this.#root.fd, xattrs)
        return
      }
      const b = this.#queue.builder
      const { file } = this.#queue
      const flags = O_CLOEXEC | this.#flags.O_DIRECTORY | this.#flags.O_NOFOLLOW
      b.sys('openat', [...this.#place(path), flags, 0], { into: file })
      this.#xattrs(file, xattrs)
      this.#close(file)
    })
  }

  /** Nanoseconds since the epoch, of whatever stands at `path` and not of what it links to. */
  times(path: string, atime: bigint, mtime: bigint): void {
    this.#queue.entry(path, () => this.#times(path, atime, mtime))
  }

  /** A new file with all its content. */
  file(path: string, content: Uint8Array, attributes: FileAttributes): void {
    this.#queue.entry(path, () => {
      this.#openNew(path)
      if (content.length > 0) this.#write(content, path)
      this.#descriptorAttributes(this.#queue.file, attributes)
      this.#close(this.#queue.file)
    })
  }

  /** A new file that the caller fills, after all that was noted before; it then calls {@link fileAttributes}. */
  async openFile(path: string): Promise<OwnedFd> {
    let opened = -1
    const slot = this.#queue.file
    this.#queue.entry(path, () => this.#openNew(path))
    this.#queue.afterBatch((result) => {
      opened = result.value(slot)
    })
    await this.finish()
    return new OwnedFd(opened)
  }

  /** Attributes of a file that {@link openFile} has opened; to be finished before the descriptor is closed. */
  fileAttributes(path: string, file: OwnedFd, attributes: FileAttributes): void {
    this.#queue.entry(path, () => this.#descriptorAttributes(file.fd, attributes))
  }

  symlink(path: string, target: string, { uid, gid, atime, mtime }: FileAttributes): void {
    this.#queue.entry(path, () => {
      this.#replacing(path, 'symlinkat', [this.#queue.name(target), ...this.#place(path)])
      this.#owner(path, uid, gid)
      this.#times(path, atime, mtime)
    })
  }

  /** A second name for `target`; `onMissing` is called when there is no such file. */
  hardLink(path: string, target: string, onMissing: () => void): void {
    this.#queue.entry(path, () => {
      const b = this.#queue.builder
      const to = this.#place(path)
      const link: Operand[] = [...this.#place(target), ...to, 0]
      const result = b.sys('linkat', link, { tolerate: ['EEXIST', 'ENOENT'] })
      const done = b.label()
      b.branch(result, 'ne', -errnoNumber('EEXIST'), done)
      b.run('unlinkat', [...to, 0])
      b.sys('linkat', link, { into: result, tolerate: ['ENOENT'] })
      b.place(done)
      this.#queue.afterBatch((batch) => {
        if (batch.value(result) === -errnoNumber('ENOENT')) onMissing()
      })
    })
  }

  node(path: string, { type, major, minor }: FileNode, attributes: FileAttributes): void {
    const { uid, gid, mode, atime, mtime } = attributes
    const device = type === 'fifo' ? 0 : deviceNumber(major, minor)
    this.#queue.entry(path, () => {
      const args = [...this.#place(path), NODE_TYPES[type] | 0o600, device]
      this.#replacing(path, 'mknodat', args)
      this.#owner(path, uid, gid)
      this.#times(path, atime, mtime)
      this.#mode(path, mode)
    })
  }

  /** The character device 0:0 that overlayfs takes as "not here"; whatever stands there stays. */
  whiteout(path: string): void {
    this.#queue.entry(path, () => {
      const args = [...this.#place(path), S_IFCHR, 0]
      this.#queue.builder.run('mknodat', args, { tolerate: ['EEXIST'] })
    })
  }

  /** Xattrs of what cannot be opened (links, devices); EPERM where their kind takes none (xattr(7)). */
  async pathXattrs(path: string, xattrs: readonly Xattr[]): Promise<void> {
    if (xattrs.length === 0) return
    await this.finish()
    using parent = this.#openParent(path)
    const b = newBatch()
    const place = b.bytes(Buffer.concat([pathIn(parent, path), Buffer.alloc(1)]), 1)
    for (const [name, value] of xattrs) {
      const label = b.bytes(Buffer.from(`${name}\0`, 'latin1'), 1)
      b.at(path, () => {
        b.run('lsetxattr', [place, label, b.bytes(value), value.length, 0], {
          tolerate: ['EOPNOTSUPP', 'EPERM'],
        })
      })
    }
    runBatch(b)
  }

  /** Removes the folder at `path` with all it has, after all that was noted before. */
  async removeTree(path: string): Promise<void> {
    await this.finish()
    using parent = this.#openParent(path)
    removeTree(pathIn(parent, path))
  }

  #place(path: string): readonly [Operand, Operand] {
    if (path === '') return [this.#root.fd, this.#queue.name('.')]
    const [folder, base] = splitPath(path)
    return [this.#queue.folder(folder), this.#queue.name(base)]
  }

  #replacing(path: string, call: string, args: readonly Operand[], into?: Slot): void {
    const b = this.#queue.builder
    const result = b.sys(call, args, {
      tolerate: ['EEXIST'],
      ...(into === undefined ? {} : { into }),
    })
    const done = b.label()
    b.branch(result, 'ge', 0, done)
    b.run('unlinkat', [...this.#place(path), 0])
    b.sys(call, args, { into: result })
    b.place(done)
  }

  #openNew(path: string): void {
    const flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | this.#flags.O_NOFOLLOW
    this.#replacing(path, 'openat', [...this.#place(path), flags, 0o600], this.#queue.file)
  }

  #close(file: Slot): void {
    this.#queue.builder.run('close', [file])
    this.#queue.builder.set(file, -1)
  }

  #write(content: Uint8Array, path: string): void {
    const args = [this.#queue.file, this.#queue.bytes(content), content.length]
    const written = this.#queue.builder.sys('write', args)
    this.#queue.afterBatch((result) => {
      // A regular file takes less than all only when the space has run out (write(2)).
      if (result.value(written) !== content.length)
        throw new SyscallError('write', errnoNumber('ENOSPC'), 'ENOSPC', path)
    })
  }

  // In this order: writing and chown(2) clear setuid bits and security.capability, and all change the times.
  #descriptorAttributes(
    file: Operand,
    { uid, gid, mode, xattrs, atime, mtime }: FileAttributes,
  ): void {
    const b = this.#queue.builder
    b.run('fchown', [file, uid, gid])
    b.run('fchmod', [file, mode])
    this.#xattrs(file, xattrs)
    b.run('utimensat', [file, 0, this.#queue.times(atime, mtime), 0])
  }

  #owner(path: string, uid: number, gid: number): void {
    this.#queue.builder.run('fchownat', [...this.#place(path), uid, gid, AT_SYMLINK_NOFOLLOW])
  }

  #mode(path: string, mode: number): void {
    this.#queue.builder.run('fchmodat', [...this.#place(path), mode])
  }

  #times(path: string, atime: bigint, mtime: bigint): void {
    const times = this.#queue.times(atime, mtime)
    this.#queue.builder.run('utimensat', [...this.#place(path), times, AT_SYMLINK_NOFOLLOW])
  }

  #xattrs(file: Operand, xattrs: readonly Xattr[]): void {
    for (const [name, value] of xattrs) {
      const args = [file, this.#queue.name(name), this.#queue.bytes(value), value.length, 0]
      // A file system without xattrs, or without this kind: as tar and docker, the file without it.
      this.#queue.builder.run('fsetxattr', args, { tolerate: ['EOPNOTSUPP'] })
    }
  }

  #openParent(path: string): OwnedFd {
    const [folder] = splitPath(path)
    if (folder === '')
      return new OwnedFd(openSync(this.#folder, constants.O_RDONLY | constants.O_DIRECTORY))
    const queue = new BatchQueue(this.#root.fd)
    const slot = queue.folder(folder)
    if (typeof slot === 'number') throw new RangeError('a folder below the root is the root')
    return new OwnedFd(runBatch(queue.builder).value(slot))
  }
}

/** `/proc/self/fd/<folder>/<last component>`: no other component of `path` is resolved again. */
function pathIn(folder: OwnedFd, path: string): Buffer {
  const [, base] = splitPath(path)
  return Buffer.from(`/proc/self/fd/${folder.fd}/${base}`, 'latin1')
}
