/** Describes everything of a tree that an image carries, so that two trees can be compared as text. */
import { createHash } from 'node:crypto'
import { type BigIntStats, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { listXattrs, readXattr } from '../../src/native/xattrs.ts'

/** Xattrs of the layering itself, which are no part of the tree. */
const LAYERING = /^(trusted|user)\.overlay\./

/** One line an entry, sorted: path, type, mode, owner, times, size, device, link, names of the same file, xattrs, content. */
export function listTree(root: string): readonly string[] {
  const lines: string[] = []
  const firstNames = new Map<bigint, string>()
  const open = ['']
  for (let path = open.shift(); path !== undefined; path = open.shift()) {
    const whole = join(root, path)
    const stats = lstatSync(whole, { bigint: true })
    if (stats.isDirectory())
      open.push(
        ...readdirSync(whole)
          .sort()
          .map((name) => (path === '' ? name : `${path}/${name}`)),
      )
    if (path === '') continue
    const same = firstNames.get(stats.ino) ?? path
    firstNames.set(stats.ino, same)
    lines.push(describe(whole, path, { stats, same }))
  }
  return lines.sort()
}

function describe(
  whole: string,
  path: string,
  { stats, same }: { stats: BigIntStats; same: string },
): string {
  const parts = [
    path,
    `mode ${stats.mode.toString(8)}`,
    `owner ${stats.uid}:${stats.gid}`,
    `mtime ${stats.mtimeNs / 1_000_000_000n}`,
    ...xattrsOf(whole),
  ]
  if (same !== path) parts.push(`same as ${same}`)
  if (stats.isCharacterDevice() || stats.isBlockDevice()) parts.push(`device ${stats.rdev}`)
  if (stats.isSymbolicLink()) parts.push(`to ${readlinkSync(whole)}`)
  if (stats.isFile())
    parts.push(`size ${stats.size}`, createHash('sha256').update(readFileSync(whole)).digest('hex'))
  return parts.join(', ')
}

function xattrsOf(path: string): readonly string[] {
  const bytes = Buffer.from(path)
  return listXattrs(bytes)
    .filter((name) => !LAYERING.test(name))
    .sort()
    .map((name) => `${name}=${readXattr(bytes, name)?.toString('hex')}`)
}
