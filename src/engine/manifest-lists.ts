/** Manifest lists by the words that users type: made here from images that are here, pushed as images are. */
import { TsrunError } from '../errors.ts'
import type { Descriptor } from '../oci/image.ts'
import type { Platform } from '../oci/platform.ts'
import { parseReference } from '../oci/reference.ts'
import type { Engine } from './engine.ts'
import { imagesOf, platformOf } from './images.ts'

type DataRoot = Pick<Engine, 'dataRoot'>

export interface CreateListRequest {
  readonly list: string
  readonly images: readonly string[]
  /** Which image of each, as `os/arch`; all when undefined. */
  readonly platform?: string | undefined
  /** Adds to a list that is there. */
  readonly amend: boolean
}

/** Makes a manifest list, or adds to one; resolves to its descriptor. */
export async function createList(
  engine: DataRoot,
  request: CreateListRequest,
): Promise<Descriptor> {
  const { entryFor, indexEntries, withEntries, writeIndex } = await import(
    '../images/make-index.ts'
  )
  const { list, images, amend } = request
  const store = imagesOf(engine)
  const isThere = store.find(list) !== undefined
  if (isThere && !amend)
    throw new TsrunError(
      'already-exists',
      `cannot create the manifest list "${list}": the name is taken`,
      {
        hint: 'use --amend to add to it, or tsrun rmi it first',
      },
    )
  const before = isThere ? indexEntries(store, list) : []
  const added = images.map((image) => entryFor(store.resolve(image, platformOf(request.platform))))
  if (before.length + added.length === 0)
    throw new TsrunError(
      'invalid-argument',
      `cannot create the manifest list "${list}": no image is named`,
    )
  return await writeIndex(store, list, withEntries(before, added))
}

/** Changes the platform that the list says of one of its images. */
export async function annotateList(
  engine: DataRoot,
  { list, image, platform }: { list: string; image: string; platform: Partial<Platform> },
): Promise<Descriptor> {
  const { annotateEntry, indexEntries, writeIndex } = await import('../images/make-index.ts')
  const store = imagesOf(engine)
  const entries = indexEntries(store, list)
  const digest = entries.some((entry) => entry.digest === image)
    ? image
    : store.resolve(image).manifestDescriptor.digest
  return await writeIndex(store, list, annotateEntry(entries, digest, platform))
}

/** The manifest or index of a name, as it is here; from its registry when it is not, or with `remote`. */
export async function manifestBytes(
  engine: DataRoot,
  { name, remote, verifyTls }: { name: string; remote: boolean; verifyTls: boolean },
): Promise<Buffer> {
  const { MAX_MANIFEST_BYTES } = await import('../oci/parse-image.ts')
  const store = imagesOf(engine)
  const here = remote ? undefined : store.find(name)?.target
  if (here !== undefined) return store.content.read(here.digest, MAX_MANIFEST_BYTES)
  const { endpointsToPull } = await import('../registry/find-endpoints.ts')
  const { MirroredClient } = await import('../registry/mirrored-client.ts')
  const { manifestName } = await import('../registry/resolve-reference.ts')
  const reference = parseReference(name)
  using client = new MirroredClient(await endpointsToPull(reference, { verifyTls }), {})
  return (await client.getManifest(manifestName(reference))).bytes
}
