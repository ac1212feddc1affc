/** Writes entries into a layer's folder by batches of system calls; nothing it does can leave that folder. */
import { constants, openSync, rmSync } from 'node:fs'
import type { TarEntry } from '../archive/tar-entries.ts'
import { SyscallError, TsrunError } from '../errors.ts'
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
import { hostArchitecture } from '../native/library.ts'
import { OwnedFd } from '../native/owned-fd.ts'
import { newBatch, runBatch } from '../native/run-batch.ts'
import type { Operand, Slot } from '../plan/instruction.ts'
import type { PlanBuilder } from '../plan/plan-builder.ts'
import { LayerBatch } from './layer-batch.ts'
import { type LayerTree, splitPath } from './layer-tree.ts'
import { writeStreamedFile } from './streamed-file.ts'

/** Larger files are written chunk by chunk as they arrive, past the batches. */
const MAX_BATCHED_FILE = 128 * 1024

type Attributes = Pick<TarEntry, 'mode' | 'uid' | 'gid' | 'mtime' | 'atime' | 'xattrs'>

export interface LayerWriterOptions {
  /** The layer's folder: empty, and writable by nobody else. */
  readonly folder: string
  readonly tree: LayerTree
  /** `trusted` for root, `user` in a user namespace (overlayfs `userxattr`). */
  readonly overlayXattrs: 'trusted' | 'user'
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
  readonly #folder: string
  readonly #tree: LayerTree
  readonly #opaque: string
  readonly #root: OwnedFd
  readonly #batch: LayerBatch
  readonly #flags = openFlagsFor(hostArchitecture())

  constructor({ folder, tree, overlayXattrs }: LayerWriterOptions) {
    this.#folder = folder
    this.#tree = tree
    this.#opaque = `${overlayXattrs}.overlay.opaque`
    this.#root = new OwnedFd(openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY))
    this.#batch = new LayerBatch(this.#root.fd)
  }

  /** A folder that nobody has named, for something inside it. */
  impliedFolder = (path: string): void => {
    this.#batch.entry(path, (b) => this.#makeFolder(b, path, 0o755))
  }

  folder(path: string, entry: Attributes): void {
    const isNew = path !== '' && !this.#tree.folders.has(path)
    this.#tree.folders.set(path, {
      implied: false,
      mtime: entry.mtime,
      atime: entry.atime ?? entry.mtime,
    })
    this.#batch.entry(path, (b) => {
      if (isNew) this.#makeFolder(b, path, 0o700)
      const [parent, base] = this.#place(path)
      b.run('fchownat', [parent, base, entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW])
      b.run('fchmodat', [parent, base, entry.mode])
      this.#folderXattrs(b, path, entry.xattrs)
    })
  }

  async file(path: string, entry: TarEntry): Promise<void> {
    await this.#makeRoom(path)
    this.size += entry.size
    const isSmall = entry.size <= MAX_BATCHED_FILE && entry.sparse === undefined
    if (!isSmall) return await this.#streamFile(path, entry)
    const chunks: Buffer[] = []
    for await (const chunk of entry.content) chunks.push(chunk)
    const [content = Buffer.alloc(0)] = chunks.length > 1 ? [Buffer.concat(chunks)] : chunks
    this.#batch.entry(path, (b) => {
      this.#openNew(b, path)
      if (content.length > 0) this.#write(b, content, path)
      this.#descriptorAttributes(b, this.#batch.file, entry)
      b.run('close', [this.#batch.file])
      b.set(this.#batch.file, -1)
    })
  }

  async symlink(path: string, entry: TarEntry): Promise<void> {
    if (entry.linkName === '' || entry.linkName.includes('\0')) {
      throw new TsrunError('invalid-argument', 'its link target is empty or has a NUL byte')
    }
    await this.#makeRoom(path)
    this.#tree.noteLink(path, entry.linkName)
    this.#batch.entry(path, (b) => {
      const target = this.#batch.name(entry.linkName)
      this.#replacing(b, path, (parent, base) => ['symlinkat', [target, parent, base]])
      this.#ownerAndTimes(b, path, entry)
    })
    await this.#pathXattrs(path, entry.xattrs)
  }

  /** `target` is a real path of the layer, or one that it does not have. */
  async hardLink(path: string, target: string): Promise<void> {
    if (path === target) return
    if (this.#tree.folders.has(target))
      throw new TsrunError('invalid-argument', 'its link target is a folder')
    await this.#makeRoom(path)
    this.#batch.entry(path, (b) => {
      const [fromFolder, fromBase] = this.#place(target)
      const [toFolder, toBase] = this.#place(path)
      const link: Operand[] = [fromFolder, fromBase, toFolder, toBase, 0]
      const result = b.sys('linkat', link, { tolerate: ['EEXIST', 'ENOENT'] })
      const done = b.label()
      b.branch(result, 'ne', -errnoNumber('EEXIST'), done)
      b.run('unlinkat', [toFolder, toBase, 0])
      b.sys('linkat', link, { into: result, tolerate: ['ENOENT'] })
      b.place(done)
      this.#batch.afterBatch((batch) => {
        if (batch.value(result) === -errnoNumber('ENOENT')) this.pendingLinks.push({ path, target })
      })
    })
    const symbolic = this.#tree.linkTarget(target)
    if (symbolic !== undefined) this.#tree.noteLink(path, symbolic)
  }

  async device(path: string, entry: TarEntry): Promise<void> {
    const { deviceMajor: major, deviceMinor: minor } = entry
    if (!(major >= 0 && major <= 0xfff && minor >= 0 && minor <= 0xf_ffff)) {
      throw new TsrunError('invalid-argument', `its device number ${major}:${minor} does not exist`)
    }
    await this.#makeRoom(path)
    const type =
      { 'character-device': S_IFCHR, 'block-device': S_IFBLK }[entry.type as string] ?? S_IFIFO
    const device = type === S_IFIFO ? 0 : deviceNumber(major, minor)
    this.#batch.entry(path, (b) => {
      this.#replacing(b, path, (parent, base) => ['mknodat', [parent, base, type | 0o600, device]])
      const [parent, base] = this.#place(path)
      this.#ownerAndTimes(b, path, entry)
      b.run('fchmodat', [parent, base, entry.mode])
    })
    await this.#pathXattrs(path, entry.xattrs)
  }

  /** Hides `path` of the layers below, whatever of that name this layer itself has or will have. */
  whiteout(path: string): void {
    if (this.#tree.folders.has(path)) {
      this.opaque(path)
      return
    }
    this.#tree.noteWhiteout(path)
    this.#batch.entry(path, (b) => {
      const [parent, base] = this.#place(path)
      b.run('mknodat', [parent, base, S_IFCHR, 0], { tolerate: ['EEXIST'] })
    })
  }

  /** Hides everything that the layers below have in the folder `path`. */
  opaque(path: string): void {
    this.#batch.entry(path, (b) =>
      this.#folderXattrs(b, path, [[this.#opaque, Buffer.from('y')]], true),
    )
  }

  /** To be awaited after each entry: keeps the batches small. */
  async continue(): Promise<void> {
    if (this.#batch.isFull) await this.#batch.start()
  }

  /** Waits for all that was asked for, then sets the times of the folders. */
  async finish(): Promise<void> {
    await this.#batch.finish()
    for (const [path, { implied, mtime, atime }] of this.#tree.folders) {
      if (implied && path !== '') continue
      this.#batch.entry(path, (b) => {
        const [parent, base] = this.#place(path)
        b.run('utimensat', [parent, base, this.#batch.times(atime, mtime), AT_SYMLINK_NOFOLLOW])
      })
      await this.continue()
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
    this.#root.close()
  }

  #place(path: string): readonly [Operand, Operand] {
    if (path === '') return [this.#root.fd, this.#batch.name('.')]
    const [folder, base] = splitPath(path)
    return [this.#batch.folder(folder), this.#batch.name(base)]
  }

  // A folder that stood there goes with all it has; other things are replaced by the batch itself.
  async #makeRoom(path: string): Promise<void> {
    if (path === '')
      throw new TsrunError('invalid-argument', 'it would replace the root of the layer')
    if (!this.#tree.folders.has(path)) {
      this.#tree.forget(path)
      return
    }
    await this.#batch.finish()
    using parent = this.#openParent(path)
    rmSync(pathIn(parent, path), { recursive: true })
    this.#tree.forgetFolder(path)
  }

  #makeFolder(b: PlanBuilder, path: string, mode: number): void {
    const [parent, base] = this.#place(path)
    const hidesBelow = this.#tree.hasWhiteout(path)
    // An implied folder replaces nothing but our own whiteout: a file in its place is the layer's fault.
    const mayReplace = hidesBelow || !this.#isImplied(path)
    const args: Operand[] = [parent, base, mode]
    if (mayReplace) this.#replacing(b, path, () => ['mkdirat', args])
    else b.run('mkdirat', args)
    this.#tree.forget(path)
    if (hidesBelow) this.#folderXattrs(b, path, [[this.#opaque, Buffer.from('y')]], true)
  }

  #isImplied(path: string): boolean {
    return this.#tree.folders.get(path)?.implied ?? true
  }

  // Makes something new at `path`; whatever is there, and is no folder, goes first.
  #replacing(
    b: PlanBuilder,
    path: string,
    call: (parent: Operand, base: Operand) => readonly [name: string, args: readonly Operand[]],
    into?: Slot,
  ): void {
    const [parent, base] = this.#place(path)
    const [name, args] = call(parent, base)
    const result = b.sys(name, args, {
      tolerate: ['EEXIST'],
      ...(into === undefined ? {} : { into }),
    })
    const done = b.label()
    b.branch(result, 'ge', 0, done)
    b.run('unlinkat', [parent, base, 0])
    b.sys(name, args, { into: result })
    b.place(done)
  }

  #openNew(b: PlanBuilder, path: string): void {
    const flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | this.#flags.O_NOFOLLOW
    this.#replacing(
      b,
      path,
      (parent, base) => ['openat', [parent, base, flags, 0o600]],
      this.#batch.file,
    )
  }

  #write(b: PlanBuilder, content: Buffer, path: string): void {
    const written = b.sys('write', [this.#batch.file, this.#batch.bytes(content), content.length])
    this.#batch.afterBatch((result) => {
      // A regular file takes less than all only when the space has run out (write(2)).
      if (result.value(written) !== content.length)
        throw new SyscallError('write', errnoNumber('ENOSPC'), 'ENOSPC', path)
    })
  }

  async #streamFile(path: string, entry: TarEntry): Promise<void> {
    let opened = -1
    const slot = this.#batch.file
    this.#batch.entry(path, (b) => this.#openNew(b, path))
    this.#batch.afterBatch((result) => {
      opened = result.value(slot)
    })
    await this.#batch.finish()
    using file = new OwnedFd(opened)
    await writeStreamedFile(file.fd, entry)
    this.#batch.entry(path, (b) => this.#descriptorAttributes(b, file.fd, entry))
    await this.#batch.finish()
  }

  // In this order: writing and chown(2) clear setuid bits and security.capability, and all change the times.
  #descriptorAttributes(b: PlanBuilder, file: Operand, entry: Attributes): void {
    b.run('fchown', [file, entry.uid, entry.gid])
    b.run('fchmod', [file, entry.mode])
    this.#emitXattrs(b, file, usableXattrs(entry.xattrs))
    b.run('utimensat', [file, 0, this.#batch.times(entry.atime ?? entry.mtime, entry.mtime), 0])
  }

  #ownerAndTimes(b: PlanBuilder, path: string, entry: Attributes): void {
    const [parent, base] = this.#place(path)
    b.run('fchownat', [parent, base, entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW])
    const times = this.#batch.times(entry.atime ?? entry.mtime, entry.mtime)
    b.run('utimensat', [parent, base, times, AT_SYMLINK_NOFOLLOW])
  }

  #folderXattrs(b: PlanBuilder, path: string, xattrs: TarEntry['xattrs'], isOwn = false): void {
    const usable = isOwn ? xattrs : usableXattrs(xattrs)
    if (usable.length === 0) return
    if (path === '') {
      this.#emitXattrs(b, this.#root.fd, usable)
      return
    }
    const [parent, base] = this.#place(path)
    const flags = O_CLOEXEC | this.#flags.O_DIRECTORY | this.#flags.O_NOFOLLOW
    b.sys('openat', [parent, base, flags, 0], { into: this.#batch.file })
    this.#emitXattrs(b, this.#batch.file, usable)
    b.run('close', [this.#batch.file])
    b.set(this.#batch.file, -1)
  }

  #emitXattrs(b: PlanBuilder, file: Operand, xattrs: TarEntry['xattrs']): void {
    for (const [name, value] of xattrs) {
      // A file system without xattrs, or without this kind: as tar and docker, the file without it.
      b.run(
        'fsetxattr',
        [file, this.#batch.name(name), this.#batch.bytes(value), value.length, 0],
        {
          tolerate: ['EOPNOTSUPP'],
        },
      )
    }
  }

  // Links and devices cannot be opened to set xattrs: by path, below a folder held by descriptor.
  async #pathXattrs(path: string, xattrs: TarEntry['xattrs']): Promise<void> {
    const usable = usableXattrs(xattrs)
    if (usable.length === 0) return
    await this.#batch.finish()
    using parent = this.#openParent(path)
    const b = newBatch()
    const place = b.bytes(Buffer.concat([pathIn(parent, path), Buffer.alloc(1)]), 1)
    for (const [name, value] of usable) {
      const label = b.bytes(Buffer.from(`${name}\0`, 'latin1'), 1)
      b.at(path, () => {
        b.run('lsetxattr', [place, label, b.bytes(value), value.length, 0], {
          tolerate: ['EOPNOTSUPP', 'EPERM'],
        })
      })
    }
    runBatch(b)
  }

  #openParent(path: string): OwnedFd {
    const batch = new LayerBatch(this.#root.fd)
    const [folder] = splitPath(path)
    if (folder === '')
      return new OwnedFd(openSync(this.#folder, constants.O_RDONLY | constants.O_DIRECTORY))
    const slot = batch.folder(folder)
    if (typeof slot === 'number') throw new RangeError('a folder below the root is the root')
    return new OwnedFd(runBatch(batch.builder).value(slot))
  }
}

/** `/proc/self/fd/<folder>/<last component>`: no other component of `path` is resolved again. */
function pathIn(folder: OwnedFd, path: string): Buffer {
  const [, base] = splitPath(path)
  return Buffer.from(`/proc/self/fd/${folder.fd}/${base}`, 'latin1')
}

// What overlayfs says about layers is not the image's to say: a redirect would show other folders.
function usableXattrs(xattrs: TarEntry['xattrs']): TarEntry['xattrs'] {
  const usable = xattrs.filter(([name]) => !/^(trusted|user)\.overlay\./.test(name))
  const bad = usable.find(([name]) => name === '' || name.length > 255 || name.includes('\0'))
  if (bad === undefined) return usable
  throw new TsrunError('invalid-argument', `its xattr name ${JSON.stringify(bad[0])} is malformed`)
}

/** Linux' dev_t as mknod(2) takes it: 12 bits major, 20 bits minor, interleaved. */
function deviceNumber(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0
}
