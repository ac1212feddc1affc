/** From what a step has written to a layer of the store, and from that to a blob. */
import { createHash } from 'node:crypto'
import { constants, openSync } from 'node:fs'
import type { TarEntry } from '../../archive/tar-entries.ts'
import { writeTar } from '../../archive/tar-writer.ts'
import { TsrunError } from '../../errors.ts'
import { addLayer } from '../../images/add-layer.ts'
import type { CachedLayer } from '../../images/build-cache.ts'
import type { ImageStore } from '../../images/image-store.ts'
import { OwnedFd } from '../../native/owned-fd.ts'
import type { Descriptor } from '../../oci/image.ts'
import { chainIdOf } from '../../snapshots/chain-id.ts'
import { layerEntries } from '../files/layer-entries.ts'
import { readUpperFolder } from '../files/upper-layer.ts'
import { clampTimes } from './clamp-times.ts'
import type { WorkTree } from './work-tree.ts'

/**
 * Makes what was written in the tree a layer. It is not compressed and not unpacked again: the folder becomes the
 * layer, and its tar is read once for the digest.
 */
export async function commitTree(
  tree: WorkTree,
  below: readonly string[],
  latest: bigint | undefined,
): Promise<CachedLayer> {
  tree.unmount()
  using folder = openFolder(tree.writtenFolder)
  if (latest !== undefined) clampTimes(folder, latest)
  const hash = createHash('sha256')
  let size = 0
  async function* counted(): AsyncGenerator<TarEntry> {
    for await (const entry of layerEntries(readUpperFolder(folder))) {
      size += entry.size
      yield entry
    }
  }
  for await (const chunk of writeTar(counted())) hash.update(chunk)
  const diffId = `sha256:${hash.digest('hex')}`
  const chainId = chainIdOf(below.at(-1), diffId)
  await tree.commit({ chainId, diffId, size })
  return { diffId, chainIds: [...below, chainId] }
}

/** The compressed blob of a layer that {@link commitTree} has made; the caller holds the store. */
export async function blobOfLayer(
  { content, snapshots, builds }: ImageStore,
  chainId: string,
  diffId: string,
): Promise<Descriptor> {
  const known = builds.blobOf(diffId)
  if (known !== undefined && content.has(known.digest, known.size)) return known
  const [path = ''] = snapshots.layerFolders([chainId])
  using folder = openFolder(path)
  const added = await addLayer(content, writeTar(layerEntries(readUpperFolder(folder))))
  if (added.diffId !== diffId)
    throw new TsrunError(
      'failed-precondition',
      `cannot write the layer "${diffId}": its files in the store have changed`,
      { hint: 'build again with --no-cache' },
    )
  builds.addBlob(diffId, added.descriptor)
  return added.descriptor
}

function openFolder(path: string): OwnedFd {
  return new OwnedFd(openSync(path, constants.O_RDONLY | constants.O_DIRECTORY))
}
