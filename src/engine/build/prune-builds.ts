/** The build cache as people see it: what it takes, and how it goes. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { ImageStore } from '../../images/image-store.ts'
import { tryLockFile } from '../../native/file-lock.ts'
import { usageOf } from '../../snapshots/usage.ts'
import { existsAt, namesIn } from '../../util/if-there.ts'
import { removeTree } from '../../util/remove-tree.ts'
import type { Engine } from '../engine.ts'
import { imagesOf } from '../images.ts'
import { cachesFolder } from './cache-mounts.ts'

export interface BuildCacheUsage {
  /** Steps and cache mounts. */
  readonly count: number
  /** Bytes of layers and blobs that only the cache keeps. */
  readonly layerBytes: number
  /** Bytes of what RUN --mount=type=cache keeps. */
  readonly mountBytes: number
}

/** What the cache takes beside the images. */
export function buildCacheUsage(engine: Engine): BuildCacheUsage {
  const store = imagesOf(engine)
  const caches = cachesOf(engine)
  return {
    count: store.builds.list().length + caches.length,
    layerBytes: keptBytes(store),
    mountBytes: sum(caches.map((path) => usageOf(path).bytes)),
  }
}

function keptBytes(store: ImageStore): number {
  const { builds, content, snapshots } = store
  const kept = builds.kept()
  const images = store.list()
  const chains = new Set(images.flatMap(({ chainIds }) => chainIds))
  const blobs = new Set(images.flatMap(({ manifest }) => manifest.layers.map((l) => l.digest)))
  const ownChains = [...new Set(kept.chainIds)].filter((chainId) => !chains.has(chainId))
  const ownBlobs = [...new Set(kept.blobs)].filter((digest) => !blobs.has(digest))
  return (
    sum(ownChains.map((chainId) => snapshots.layer(chainId)?.size ?? 0)) +
    sum(ownBlobs.map((digest) => content.sizeOf(digest) ?? 0))
  )
}

export interface PruneBuildsOptions {
  /** The folders of cache mounts, too. */
  readonly all: boolean
  /** Only what was last used before this moment. */
  readonly until: Date | undefined
}

/** Removes steps from the cache and what only they keep; resolves to the bytes. What a build uses now stays. */
export async function pruneBuilds(
  engine: Engine,
  { all, until }: PruneBuildsOptions,
): Promise<{ readonly removed: readonly string[]; readonly bytes: number }> {
  const store = imagesOf(engine)
  const before = keptBytes(store)
  const chosen = store.builds
    .list()
    .filter(({ lastUsed }) => until === undefined || lastUsed.getTime() < until.getTime())
  for (const { key } of chosen) store.builds.remove(key)
  store.builds.removeUnused()
  const bytes = before - keptBytes(store)
  await store.collectGarbage()
  const mounts = all && until === undefined ? removeCaches(engine) : 0
  return { removed: chosen.map(({ key }) => key), bytes: bytes + mounts }
}

function removeCaches(engine: Engine): number {
  let bytes = 0
  for (const name of namesIn(cachesFolder(engine))) {
    const path = join(cachesFolder(engine), name)
    if (!name.endsWith('.lock')) continue
    using lock = tryLockFile(path, 'exclusive')
    // A command of a build uses it.
    if (lock === undefined) continue
    const folder = path.replace(/\.lock$/, '')
    if (existsAt(folder)) bytes += usageOf(folder).bytes
    removeTree(folder)
    rmSync(path)
  }
  return bytes
}

function cachesOf(engine: Engine): readonly string[] {
  return namesIn(cachesFolder(engine))
    .filter((name) => !name.endsWith('.lock'))
    .map((name) => join(cachesFolder(engine), name))
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
