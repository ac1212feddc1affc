/**
 * Copies what a directory holds, with owners, modes, times, links and extended attributes. The source
 * may be changed meanwhile by somebody hostile: each of its directories is opened once, through no link.
 */
import {
  chmodSync,
  constants,
  copyFileSync,
  fstatSync,
  lchownSync,
  linkSync,
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
import { AT_FDCWD, O_PATH } from '../linux/open-flags.ts'
import { openPlainFile } from '../native/open-file-in-root.ts'
import { OwnedFd } from '../native/owned-fd.ts'
import { newBatch, runBatch } from '../native/run-batch.ts'
import { copyXattrs } from '../native/xattrs.ts'

interface Copy {
  /** `device:inode` of a file with several names → its first copy. */
  readonly links: Map<string, Buffer>
  readonly root: number
}

/** Copies the entries of the directory `from` into the directory `to`, an empty one of ours. */
export async function copyTree(from: number, to: number): Promise<void> {
  await copyEntries({ links: new Map(), root: to }, from, Buffer.alloc(0))
}

// Paths of the copy are below its root; nobody else can change what is there.
async function copyEntries(copy: Copy, from: number, folder: Buffer): Promise<void> {
  // A descriptor from O_PATH cannot be read, what it stands for can.
  const entries = readdirSync(`/proc/self/fd/${from}`, { encoding: 'buffer' })
  await setImmediate()
  for (const name of entries) {
    const source = Buffer.concat([Buffer.from(`/proc/self/fd/${from}/`), name])
    const path = Buffer.concat([folder, Buffer.from('/'), name])
    const target = Buffer.concat([Buffer.from(`/proc/self/fd/${copy.root}`), path])
    const stat = lstatSync(source)
    if (stat.isDirectory()) await copyFolder(copy, source, path, target)
    else copyEntry(copy, source, target, stat)
  }
}

async function copyFolder(copy: Copy, source: Buffer, path: Buffer, target: Buffer): Promise<void> {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants
  using folder = new OwnedFd(openSync(source, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
  mkdirSync(target)
  await copyEntries(copy, folder.fd, path)
  copyAttributes(Buffer.from(`/proc/self/fd/${folder.fd}/.`), target, fstatSync(folder.fd))
}

function copyEntry(copy: Copy, source: Buffer, target: Buffer, stat: Stats): void {
  const key = `${stat.dev}:${stat.ino}`
  const first = copy.links.get(key)
  if (first !== undefined) {
    linkSync(first, target)
    return
  }
  if (stat.isSymbolicLink()) symlinkSync(readlinkSync(source, 'buffer'), target)
  else if (stat.isFile()) copyContent(source, target)
  else if (stat.isSocket()) return
  else makeNode(target, stat)
  if (stat.nlink > 1) copy.links.set(key, target)
  copyAttributes(source, target, stat)
}

function copyContent(source: Buffer, target: Buffer): void {
  using place = new OwnedFd(openSync(source, O_PATH | constants.O_NOFOLLOW))
  using file = openPlainFile(place.fd)
  // It was one a moment ago.
  if (file === undefined)
    throw new TsrunError('failed-precondition', `${source} is being replaced while it is copied`)
  copyFileSync(`/proc/self/fd/${file.fd}`, target, constants.COPYFILE_EXCL)
}

function makeNode(target: Buffer, { mode, rdev }: Stats): void {
  const b = newBatch()
  const path = b.bytes(Buffer.concat([target, Buffer.alloc(1)]), 1)
  b.run('mknodat', [AT_FDCWD, path, mode, rdev])
  runBatch(b)
}

function copyAttributes(source: Buffer, target: Buffer, stat: Stats): void {
  lchownSync(target, stat.uid, stat.gid)
  // After the owner, whose change takes setuid and setgid away.
  if (!stat.isSymbolicLink()) chmodSync(target, stat.mode & 0o7777)
  copyXattrs(source, target, isCopied)
  lutimesSync(target, stat.atime, stat.mtime)
}

// Labels and overlay's own marks belong to the place, not to the file.
function isCopied(name: string): boolean {
  return (
    name.startsWith('user.') || name === 'security.capability' || name.startsWith('system.posix')
  )
}
