/** Completes an unpacked layer by what lies below it: attributes of implied folders, targets of hard links. */
import {
  chmodSync,
  chownSync,
  copyFileSync,
  linkSync,
  lstatSync,
  type Stats,
  utimesSync,
} from 'node:fs'
import { TsrunError } from '../errors.ts'
import { copyXattrs, readXattr } from '../native/xattrs.ts'
import type { AppliedLayer } from './apply-layer.ts'

export interface FinishOptions {
  readonly folder: string
  /** Folders of the layers below, top first. They are complete and never change. */
  readonly below: readonly string[]
  readonly overlayXattrs: 'trusted' | 'user'
}

/** Something that a layer has. */
export interface Found {
  readonly path: Buffer
  readonly stats: Stats
}

/** An overlay shows a folder with the attributes of its uppermost layer: those that nobody named get the ones below. */
export function finishLayer(applied: AppliedLayer, options: FinishOptions): void {
  for (const { path, target } of applied.pendingLinks) linkFromBelow(path, target, options)
  // Inner folders first: setting the times of one must not come before changes inside it.
  for (const path of applied.impliedFolders.toReversed()) {
    const below = findBelow(path, options)
    const own = bytePath(options.folder, path)
    if (below?.stats.isDirectory() === true) copyAttributes(below, own)
    else if (path === '') chmodSync(own, 0o755)
  }
}

function linkFromBelow(path: string, target: string, options: FinishOptions): void {
  const found = findBelow(target, options)
  if (found?.stats.isFile() !== true) {
    throw new TsrunError(
      'invalid-argument',
      `cannot use tar entry ${JSON.stringify(path)}: the target ${JSON.stringify(target)} of its hard link does not exist`,
    )
  }
  const copy = bytePath(options.folder, target)
  // An earlier link may have brought the target up already.
  if (lstatSync(copy, { throwIfNoEntry: false }) === undefined) {
    copyFileSync(found.path, copy)
    copyAttributes(found, copy)
  }
  linkSync(copy, bytePath(options.folder, path))
}

// In this order: chown(2) clears setuid bits and security.capability.
function copyAttributes({ path, stats }: Found, to: Buffer): void {
  chownSync(to, stats.uid, stats.gid)
  chmodSync(to, stats.mode & 0o7777)
  copyXattrs(path, to, (name) => !/^(trusted|user)\.overlay\./.test(name))
  utimesSync(to, stats.atimeMs / 1000, stats.mtimeMs / 1000)
}

/** What an overlay of the layers below shows at `path`, following no symbolic link. */
export function findBelow(
  path: string,
  options: Pick<FinishOptions, 'below' | 'overlayXattrs'>,
): Found | undefined {
  const parts = path === '' ? [] : path.split('/')
  for (const layer of options.below) {
    const looked = lookIn(layer, parts, `${options.overlayXattrs}.overlay.opaque`)
    if (looked === 'hidden') return undefined
    if (looked !== undefined) return looked
  }
  return undefined
}

// 'hidden': this layer says that nothing below it counts.
function lookIn(
  layer: string,
  parts: readonly string[],
  opaque: string,
): Found | 'hidden' | undefined {
  let hidesBelow = false
  for (let depth = 0; depth <= parts.length; depth++) {
    const path = bytePath(layer, parts.slice(0, depth).join('/'))
    const stats = lstatSync(path, { throwIfNoEntry: false })
    if (stats === undefined) return hidesBelow ? 'hidden' : undefined
    if (stats.isCharacterDevice() && stats.rdev === 0) return 'hidden'
    if (depth === parts.length) return { path, stats }
    if (!stats.isDirectory()) return 'hidden'
    hidesBelow ||= readXattr(path, opaque)?.toString() === 'y'
  }
  return undefined
}

function bytePath(folder: string, path: string): Buffer {
  return Buffer.concat([
    Buffer.from(path === '' ? folder : `${folder}/`),
    Buffer.from(path, 'latin1'),
  ])
}
