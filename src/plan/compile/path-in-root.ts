/**
 * Paths inside a container's root: resolved once, to a descriptor, with the root as "/" (openat2(2)
 * RESOLVE_IN_ROOT); whatever is missing is made relative to a descriptor (CVE-2021-30465, CVE-2024-45310).
 */
import {
  AT_EMPTY_PATH,
  O_CLOEXEC,
  O_CREAT,
  O_EXCL,
  O_PATH,
  openFlagsFor,
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  S_IFDIR,
  S_IFMT,
} from '../../linux/open-flags.ts'
import type { Operand, Slot } from '../instruction.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import { openBelow } from './kernel-structs.ts'

export const IN_ROOT = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
const PLAIN_CHILD = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS

/** The components of `path` after lexical cleaning: no empty ones, no `.`, no `..` above the root. */
export function componentsOf(path: string): readonly string[] {
  const components: string[] = []
  for (const component of path.split('/')) {
    if (component === '..') components.pop()
    else if (component !== '' && component !== '.') components.push(component)
  }
  return components
}

/** Opens what exists at `path` as O_PATH; the slot is -ENOENT or -ENOTDIR where nothing does. */
export function openExisting(b: PlanBuilder, root: Operand, path: string, resolve = IN_ROOT): Slot {
  const relative = componentsOf(path).join('/') || '.'
  return openBelow(
    b,
    root,
    relative,
    { flags: O_PATH | O_CLOEXEC, resolve },
    { tolerate: ['ENOENT', 'ENOTDIR'] },
  )
}

export interface OpenOrMakeOptions {
  /** RESOLVE_* of openat2(2). */
  readonly resolve?: number
  /** Emits what is done with one that was there before. */
  readonly whenFound?: (target: Slot) => void
}

/**
 * Opens `path` as O_PATH and makes it, with its parents, where it is missing: a directory, or an
 * empty file when the slot `fileType` (S_IFMT bits) is not S_IFDIR.
 */
export function openOrMake(
  b: PlanBuilder,
  root: Slot,
  path: string,
  fileType: number | Slot,
  { resolve = IN_ROOT, whenFound = () => undefined }: OpenOrMakeOptions = {},
): Slot {
  const components = componentsOf(path)
  const target = b.slot(`target ${path}`)
  const how = { flags: O_PATH | O_CLOEXEC, resolve }
  if (components.length === 0) return openBelow(b, root, '.', how, { into: target })
  const done = b.label()
  const missing = b.label()
  openBelow(b, root, components.join('/'), how, { into: target, tolerate: ['ENOENT'] })
  b.branch(target, 'lt', 0, missing)
  whenFound(target)
  b.jump(done)
  b.place(missing)
  const parents: Slot[] = [root]
  for (let i = 1; i < components.length; i++) {
    parents.push(openOrMakePrefix(b, root, parents[i - 1] ?? root, components.slice(0, i)))
  }
  makeLast(b, parents.at(-1) ?? root, components.at(-1) ?? '.', fileType, target)
  for (const parent of parents.slice(1)) b.run('close', [parent])
  b.place(done)
  return target
}

// The prefix is resolved from the root, because a symlink in it may be absolute; a missing
// component is made and opened through its parent's descriptor and may not be a symlink.
function openOrMakePrefix(
  b: PlanBuilder,
  root: Slot,
  parent: Slot,
  prefix: readonly string[],
): Slot {
  const directory = b.slot(`dir ${prefix.join('/')}`)
  const flags = directoryFlags(b)
  const found = b.label()
  openBelow(
    b,
    root,
    prefix.join('/'),
    { flags, resolve: IN_ROOT },
    { into: directory, tolerate: ['ENOENT'] },
  )
  b.branch(directory, 'ge', 0, found)
  makeDirectory(b, parent, prefix[prefix.length - 1] ?? '.', directory)
  b.place(found)
  return directory
}

function makeDirectory(b: PlanBuilder, parent: Operand, name: string, into: Slot): void {
  b.run('mkdirat', [parent, b.string(name), 0o755], { tolerate: ['EEXIST'] })
  openBelow(b, parent, name, { flags: directoryFlags(b), resolve: PLAIN_CHILD }, { into })
}

function makeLast(
  b: PlanBuilder,
  parent: Operand,
  name: string,
  fileType: number | Slot,
  into: Slot,
): void {
  if (typeof fileType === 'number') {
    if (fileType === S_IFDIR) makeDirectory(b, parent, name, into)
    else makeFile(b, parent, name, into)
    return
  }
  const file = b.label()
  const done = b.label()
  b.branch(fileType, 'ne', S_IFDIR, file)
  makeDirectory(b, parent, name, into)
  b.jump(done)
  b.place(file)
  makeFile(b, parent, name, into)
  b.place(done)
}

function makeFile(b: PlanBuilder, parent: Operand, name: string, into: Slot): void {
  const flags = O_CREAT | O_EXCL | openFlagsFor(b.architecture).O_NOFOLLOW | O_CLOEXEC
  const created = b.sys('openat', [parent, b.string(name), flags, 0o755], { tolerate: ['EEXIST'] })
  b.run('close', [created], { tolerate: ['EBADF'] })
  openBelow(b, parent, name, { flags: O_PATH | O_CLOEXEC, resolve: PLAIN_CHILD }, { into })
}

/** The S_IFMT bits of what `fd` refers to. */
export function fileTypeOf(b: PlanBuilder, fd: Operand): Slot {
  return b.compute(modeOf(b, fd), 'and', S_IFMT)
}

/** stx_mode of what `fd` refers to (statx(2)). */
export function modeOf(b: PlanBuilder, fd: Operand): Slot {
  const STATX_TYPE_AND_MODE = 3
  const buffer = b.zeros(256)
  b.run('statx', [fd, b.string(''), AT_EMPTY_PATH, STATX_TYPE_AND_MODE, buffer])
  return b.load(2, buffer, 28)
}

/** Makes sure that the character device behind `fd` is `major`:`minor`, else the plan fails with ENODEV. */
export function emitCheckDevice(b: PlanBuilder, fd: Operand, major: number, minor?: number): void {
  const STATX_BASIC_STATS = 0x7ff
  const ENODEV = 19
  const buffer = b.zeros(256)
  const bad = b.label()
  const good = b.label()
  b.run('statx', [fd, b.string(''), AT_EMPTY_PATH, STATX_BASIC_STATS, buffer])
  b.branch(b.load(4, buffer, 128), 'ne', major, bad)
  if (minor === undefined) b.jump(good)
  else b.branch(b.load(4, buffer, 132), 'eq', minor, good)
  b.place(bad)
  b.fail(ENODEV, `not the device ${major}:${minor ?? '*'}`)
  b.place(good)
}

/** Flags that open a directory as O_PATH. */
export function directoryFlags(b: PlanBuilder): number {
  return O_PATH | openFlagsFor(b.architecture).O_DIRECTORY | O_CLOEXEC
}
