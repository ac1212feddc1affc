/** Reads an image's documents from the store: index, manifest, config. */
import type { ContentStore } from '../content/content-store.ts'
import { TsrunError } from '../errors.ts'
import type { Descriptor, ImageConfig, ImageManifest } from '../oci/image.ts'
import {
  detectManifestKind,
  MAX_CONFIG_BYTES,
  MAX_MANIFEST_BYTES,
  pairLayers,
  parseImageConfig,
  parseImageIndex,
  parseImageManifest,
} from '../oci/parse-image.ts'
import { choosePlatform, formatPlatform, type Platform } from '../oci/platform.ts'
import { chainIdsOf } from '../snapshots/chain-id.ts'
import type { Image } from './image-store.ts'

/** What reading needs of the image store. */
export interface ImageSource {
  readonly content: ContentStore
  readonly hostPlatform: Platform
}

/** An index inside an index inside an index is someone's joke. */
const MAX_INDEX_DEPTH = 3

/** The image behind `target` for `platform`; without one, the best of those that are here. */
export function readImage(
  source: ImageSource,
  target: Descriptor,
  names: readonly string[],
  platform?: Platform,
): Image {
  const manifestDescriptor = chooseManifest(source, target, platform)
  const manifest = parseImageManifest(
    source.content.read(manifestDescriptor.digest, MAX_MANIFEST_BYTES),
  )
  const config = parseImageConfig(source.content.read(manifest.config.digest, MAX_CONFIG_BYTES))
  const diffIds = pairLayers(manifest, config).map(({ diffId }) => diffId)
  return {
    id: manifest.config.digest,
    names,
    target,
    manifestDescriptor,
    manifest,
    config,
    chainIds: chainIdsOf(diffIds),
  }
}

/** The manifests of an index that run on a machine; attestations and other artifacts are none. */
export function runnableManifests(manifests: readonly Descriptor[]): readonly Descriptor[] {
  return manifests.filter(
    ({ platform, annotations }) =>
      platform?.architecture !== 'unknown' &&
      annotations?.['vnd.docker.reference.type'] === undefined,
  )
}

/** Throws when the image is for another platform than the one asked for. */
export function noPlatform(
  what: string,
  wanted: Platform,
  offered: readonly Descriptor[],
): TsrunError {
  const list = offered.flatMap(({ platform }) =>
    platform === undefined ? [] : [formatPlatform(platform)],
  )
  return new TsrunError(
    'not-found',
    `cannot use image "${what}": it has nothing for ${formatPlatform(wanted)}${list.length === 0 ? '' : `, only for ${list.slice(0, 12).join(', ')}`}`,
    { hint: 'choose one by --platform' },
  )
}

/** Digests of every blob of the image that is here, and the chains of its layers, over all platforms. */
export function blobsOf(
  source: ImageSource,
  target: Descriptor,
): { readonly blobs: readonly string[]; readonly chainIds: readonly string[] } {
  const blobs: string[] = []
  const chainIds: string[] = []
  const open: { descriptor: Descriptor; depth: number }[] = [{ descriptor: target, depth: 0 }]
  // An index may name another ten thousand times, and that one a third. By depth, for one further up is read on.
  const seen = new Set<string>()
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { descriptor, depth } = next
    const key = `${depth} ${descriptor.digest}`
    if (seen.has(key)) continue
    seen.add(key)
    if (!source.content.has(descriptor.digest)) continue
    blobs.push(descriptor.digest)
    const bytes = source.content.read(descriptor.digest, MAX_MANIFEST_BYTES)
    if (detectManifestKind(bytes) === 'index') {
      if (depth >= MAX_INDEX_DEPTH) continue
      for (const child of parseImageIndex(bytes).manifests)
        open.push({ descriptor: child, depth: depth + 1 })
      continue
    }
    const manifest = parseImageManifest(bytes)
    blobs.push(manifest.config.digest, ...manifest.layers.map(({ digest }) => digest))
    if (source.content.has(manifest.config.digest)) chainIds.push(...chainsOf(source, manifest))
  }
  return { blobs: [...new Set(blobs)], chainIds: [...new Set(chainIds)] }
}

function chainsOf(source: ImageSource, manifest: ImageManifest): readonly string[] {
  const config: ImageConfig = parseImageConfig(
    source.content.read(manifest.config.digest, MAX_CONFIG_BYTES),
  )
  return chainIdsOf(config.rootfs.diff_ids)
}

function chooseManifest(
  source: ImageSource,
  target: Descriptor,
  platform: Platform | undefined,
): Descriptor {
  let descriptor = target
  for (let depth = 0; depth <= MAX_INDEX_DEPTH; depth++) {
    const bytes = source.content.read(descriptor.digest, MAX_MANIFEST_BYTES)
    if (detectManifestKind(bytes) !== 'index') return descriptor
    const all = runnableManifests(parseImageIndex(bytes).manifests)
    const here = all.filter(({ digest }) => source.content.has(digest))
    const chosen =
      choosePlatform(platform ?? source.hostPlatform, here) ??
      (platform === undefined ? here[0] : undefined)
    if (chosen === undefined) throw noPlatform(target.digest, platform ?? source.hostPlatform, here)
    descriptor = chosen
  }
  throw new TsrunError(
    'invalid-argument',
    `cannot use image "${target.digest}": its indexes are nested too deeply`,
  )
}
