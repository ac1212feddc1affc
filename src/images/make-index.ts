/** Makes an index over images that are here: `manifest create`. */
import { TsrunError } from '../errors.ts'
import type { Descriptor, ImageIndex } from '../oci/image.ts'
import { isIndexType, OCI_INDEX } from '../oci/media-types.ts'
import { MAX_MANIFEST_BYTES, parseImageIndex } from '../oci/parse-image.ts'
import { type Platform, samePlatform } from '../oci/platform.ts'
import { formatReference, parseReference } from '../oci/reference.ts'
import type { Image, ImageStore } from './image-store.ts'
import { readImage } from './read-image.ts'

/** The entries of the index that `name` leads to; throws `failed-precondition` when it leads to no index. */
export function indexEntries(store: ImageStore, name: string): readonly Descriptor[] {
  const whole = formatReference(parseReference(name))
  const target = store.names.find(whole)
  if (target === undefined)
    throw new TsrunError('not-found', `cannot find the manifest list "${name}"`, {
      hint: `tsrun manifest create ${name} IMAGE...`,
    })
  if (!isIndexType(target.mediaType))
    throw new TsrunError(
      'failed-precondition',
      `cannot change "${name}": it is an image, not a manifest list`,
    )
  return parseImageIndex(store.content.read(target.digest, MAX_MANIFEST_BYTES)).manifests
}

/** The entry for an image: its manifest, and its platform as its config says. */
export function entryFor({ manifestDescriptor, config }: Image): Descriptor {
  const { mediaType, digest, size } = manifestDescriptor
  const { os, architecture, variant } = config
  return {
    mediaType,
    digest,
    size,
    platform: { os, architecture, ...(variant === undefined ? {} : { variant }) },
  }
}

/** The entries with `added`, which replace what is there for the same platform. */
export function withEntries(
  entries: readonly Descriptor[],
  added: readonly Descriptor[],
): readonly Descriptor[] {
  return added.reduce<readonly Descriptor[]>(
    (all, one) => [...all.filter((other) => !isSame(other, one)), one],
    entries,
  )
}

/** The entries with another platform for one of them; throws `not-found`. */
export function annotateEntry(
  entries: readonly Descriptor[],
  digest: string,
  platform: Partial<Platform>,
): readonly Descriptor[] {
  if (!entries.some((entry) => entry.digest === digest))
    throw new TsrunError('not-found', `cannot annotate "${digest}": it is not in the manifest list`)
  return entries.map((entry) => {
    if (entry.digest !== digest) return entry
    const before = entry.platform ?? { os: 'linux', architecture: 'unknown' }
    return { ...entry, platform: { ...before, ...platform } }
  })
}

/** Stores the index and gives it the name. */
export async function writeIndex(
  store: ImageStore,
  name: string,
  entries: readonly Descriptor[],
): Promise<Descriptor> {
  const whole = formatReference(parseReference(name))
  const index: ImageIndex = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: entries }
  using _ = await store.content.hold()
  const bytes = Buffer.from(JSON.stringify(index))
  const target: Descriptor = { mediaType: OCI_INDEX, ...(await store.content.write(bytes)) }
  // Read back before it has a name: what cannot be read is not kept.
  readImage(store, target, [whole])
  await store.names.set(whole, target)
  return target
}

function isSame(a: Descriptor, b: Descriptor): boolean {
  if (a.digest === b.digest) return true
  return (
    a.platform !== undefined && b.platform !== undefined && samePlatform(a.platform, b.platform)
  )
}
