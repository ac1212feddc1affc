/** What a container has written: its overlay's upper folder, whiteouts and opaque folders understood. */
import { constants, openSync } from 'node:fs'
import type { TarEntry } from '../../archive/tar-entries.ts'
import { TsrunError } from '../../errors.ts'
import { OwnedFd } from '../../native/owned-fd.ts'
import { fromByteText, toByteText } from '../../util/byte-text.ts'
import type { ContainerRecord } from '../container-record.ts'
import type { Engine } from '../engine.ts'
import { configOf } from './container-root.ts'
import { type ReadTreeOptions, readTree } from './read-tree.ts'

/** One thing that the container has made, changed or removed. */
export interface UpperEntry {
  /** A byte string below the root, without leading slash. */
  readonly path: string
  /** `removed`: what the image has at this path is hidden. */
  readonly kind: 'present' | 'removed'
  /** Nothing of what the image has in this folder is seen. */
  readonly isOpaque: boolean
  readonly entry: TarEntry
}

// Without root overlayfs keeps what it notes in `user.`: mount option userxattr.
const OPAQUE = /^(trusted|user)\.overlay\.opaque$/
/** A folder or file whose content is elsewhere: the features redirect_dir and metacopy of overlayfs. */
const ELSEWHERE = /^(trusted|user)\.overlay\.(redirect|metacopy)$/

/**
 * Everything in the container's own layer, outer folders first, but for the places that the engine itself made
 * there to mount on. The container may run: read-tree.ts says how it is kept from leading us elsewhere.
 */
export async function* readUpper(
  engine: Engine,
  record: ContainerRecord,
  onSkipped?: (path: string, reason: string) => void,
): AsyncGenerator<UpperEntry> {
  using upper = openUpper(engine, record)
  const own = ownMountPoints(engine, record)
  yield* readUpperFolder(upper, {
    isExcluded: (path, stats) => own.has(path) && (stats.isDirectory() || stats.size === 0n),
    ...(onSkipped === undefined ? {} : { onSkipped }),
  })
}

/** Everything in a folder that overlayfs has written, or one that is below others in an overlay. */
export async function* readUpperFolder(
  folder: OwnedFd,
  options: Pick<ReadTreeOptions, 'isExcluded' | 'onSkipped'> = {},
): AsyncGenerator<UpperEntry> {
  const entries = readTree(folder, '', { ...options, moreXattrs: /^(trusted|user)\.overlay\./ })
  for await (const entry of entries) yield toUpperEntry(entry)
}

/** The folder that holds what the container has written. Throws for a root filesystem that was given by path. */
function openUpper(engine: Engine, record: ContainerRecord): OwnedFd {
  if (record.rootfs !== undefined)
    throw new TsrunError(
      'not-implemented',
      `cannot tell what container "${record.name}" has changed: it runs on the root filesystem "${record.rootfs}" itself`,
      { hint: 'make it from an image instead' },
    )
  const path = engine.snapshotter().writableFolder(record.id)
  return new OwnedFd(openSync(path, constants.O_RDONLY | constants.O_DIRECTORY))
}

/** Where the engine mounts what every container has; not the places of the user's volumes. */
export function ownMountPoints(engine: Engine, record: ContainerRecord): ReadonlySet<string> {
  const volumes = new Set(record.volumes.map(({ destination }) => destination))
  return new Set(
    (configOf(engine, record.id).mounts ?? [])
      .filter(({ destination }) => !volumes.has(destination))
      .map(({ destination }) => toByteText(destination.replace(/^\/+/, ''))),
  )
}

function toUpperEntry(entry: TarEntry): UpperEntry {
  const path = entry.name
  if (entry.xattrs.some(([name]) => ELSEWHERE.test(name)))
    throw new TsrunError(
      'not-implemented',
      `cannot read the layer of the container: "${fromByteText(path)}" was moved by overlayfs (redirect_dir or metacopy)`,
      { hint: 'switch these features of the kernel module overlay off' },
    )
  const isRemoved =
    entry.type === 'character-device' && entry.deviceMajor === 0 && entry.deviceMinor === 0
  return {
    path,
    kind: isRemoved ? 'removed' : 'present',
    isOpaque: entry.xattrs.some(([name, value]) => OPAQUE.test(name) && value.toString() === 'y'),
    entry: {
      ...entry,
      xattrs: entry.xattrs.filter(([name]) => !/^(trusted|user)\.overlay\./.test(name)),
    },
  }
}
