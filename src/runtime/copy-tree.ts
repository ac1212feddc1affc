/**
 * Copies what a directory holds, with owners, modes, times, links and extended attributes. Source and target may
 * be changed meanwhile by somebody hostile: each directory is opened once, through no link, and what was
 * made is given its attributes by descriptor.
 */
import {
  chmodSync,
  constants,
  copyFileSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  futimesSync,
  lchownSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  type Stats,
  symlinkSync,
} from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { TsrunError } from '../errors.ts'
import { AT_FDCWD, AT_SYMLINK_FOLLOW, O_PATH } from '../linux/open-flags.ts'
import { openPathInRoot, openPlainFile } from '../native/open-file-in-root.ts'
import { OwnedFd } from '../native/owned-fd.ts'
import { newBatch, runBatch } from '../native/run-batch.ts'
import { copyXattrs } from '../native/xattrs.ts'

interface Copy {
  /** `device:inode` of a file with several names → its first copy, as a path below the root. */
  readonly links: Map<string, Buffer>
  readonly root: number
}

/** One directory of the source and its copy; `path` leads from the root of the copy to it. */
interface Folder {
  readonly from: number
  readonly to: number
  readonly path: Buffer
}

/** Copies the entries of the directory `from` into the directory `to`, an empty one. */
export async function copyTree(from: number, to: number): Promise<void> {
  await copyEntries({ links: new Map(), root: to }, { from, to, path: Buffer.alloc(0) })
}

async function copyEntries(copy: Copy, folder: Folder): Promise<void> {
  // A descriptor from O_PATH cannot be read, what it stands for can.
  const entries = readdirSync(`/proc/self/fd/${folder.from}`, { encoding: 'buffer' })
  await setImmediate()
  for (const name of entries) {
    const source = entryOf(folder.from, name)
    const target = entryOf(folder.to, name)
    const path = Buffer.concat([folder.path, Buffer.from('/'), name])
    const stat = lstatSync(source)
    if (stat.isDirectory()) await copyFolder(copy, source, target, path)
    else copyEntry(copy, source, target, path, stat)
  }
}

function entryOf(folder: number, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${folder}/`), name])
}

async function copyFolder(copy: Copy, source: Buffer, target: Buffer, path: Buffer): Promise<void> {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants
  const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
  using from = new OwnedFd(openSync(source, flags))
  mkdirSync(target, { mode: 0o700 })
  using to = new OwnedFd(openSync(target, flags))
  await copyEntries(copy, { from: from.fd, to: to.fd, path })
  copyAttributes(Buffer.from(`/proc/self/fd/${from.fd}/.`), to.fd, fstatSync(from.fd))
}

function copyEntry(copy: Copy, source: Buffer, target: Buffer, path: Buffer, stat: Stats): void {
  const key = `${stat.dev}:${stat.ino}`
  const first = copy.links.get(key)
  if (first !== undefined && link(copy.root, first, target)) return
  if (stat.isSymbolicLink()) copyLink(source, target, stat)
  else if (stat.isFile()) copyContent(source, target, stat)
  else if (stat.isSocket()) return
  else makeNode(target, stat)
  if (stat.nlink > 1) copy.links.set(key, path)
}

// link(2) follows no link, so the first copy could only be named by a path that is resolved again.
function link(root: number, first: Buffer, target: Buffer): boolean {
  using file = openPathInRoot(`/proc/self/fd/${root}`, first)
  if (file === undefined) return false
  const b = newBatch()
  const from = b.string(`/proc/self/fd/${file.fd}`)
  b.run('linkat', [AT_FDCWD, from, AT_FDCWD, b.bytes(terminated(target), 1), AT_SYMLINK_FOLLOW])
  runBatch(b)
  return true
}

function copyLink(source: Buffer, target: Buffer, stat: Stats): void {
  symlinkSync(readlinkSync(source, 'buffer'), target)
  lchownSync(target, stat.uid, stat.gid)
  lutimesSync(target, stat.atime, stat.mtime)
}

function copyContent(source: Buffer, target: Buffer, stat: Stats): void {
  using place = new OwnedFd(openSync(source, O_PATH | constants.O_NOFOLLOW))
  using file = openPlainFile(place.fd)
  // It was one a moment ago.
  if (file === undefined)
    throw new TsrunError('failed-precondition', `${source} is being replaced while it is copied`)
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
  using copy = new OwnedFd(openSync(target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600))
  copyFileSync(`/proc/self/fd/${file.fd}`, `/proc/self/fd/${copy.fd}`)
  copyAttributes(source, copy.fd, stat)
}

function makeNode(target: Buffer, { mode, rdev, uid, gid, atime, mtime }: Stats): void {
  const b = newBatch()
  b.run('mknodat', [AT_FDCWD, b.bytes(terminated(target), 1), mode, rdev])
  runBatch(b)
  lchownSync(target, uid, gid)
  using node = new OwnedFd(openSync(target, O_PATH | constants.O_NOFOLLOW))
  // To open a device has effects of its own; chmod(2) would follow a link that has taken its place.
  const made = fstatSync(node.fd)
  if (!made.isFile() && !made.isDirectory() && !made.isSymbolicLink())
    chmodSync(`/proc/self/fd/${node.fd}`, mode & 0o7777)
  lutimesSync(target, atime, mtime)
}

function copyAttributes(source: Buffer, target: number, stat: Stats): void {
  fchownSync(target, stat.uid, stat.gid)
  // After the owner, whose change takes setuid and setgid away.
  fchmodSync(target, stat.mode & 0o7777)
  copyXattrs(source, target, isCopied)
  futimesSync(target, stat.atime, stat.mtime)
}

function terminated(path: Buffer): Buffer {
  return Buffer.concat([path, Buffer.alloc(1)])
}

// Labels and overlay's own marks belong to the place, not to the file.
function isCopied(name: string): boolean {
  return (
    name.startsWith('user.') || name === 'security.capability' || name.startsWith('system.posix')
  )
}
