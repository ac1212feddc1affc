/** Reads images from a tar that anyone may have written: an OCI image layout, or what `docker save` wrote. */
import { inflate } from '../archive/compression.ts'
import { entryComponents } from '../archive/entry-path.ts'
import { readTarEntries, type TarEntry } from '../archive/tar-entries.ts'
import { TsrunError } from '../errors.ts'
import { createZstdInflate } from '../native/zstd.ts'
import { isDigest } from '../oci/digest.ts'
import type { Descriptor } from '../oci/image.ts'
import { OCI_MANIFEST } from '../oci/media-types.ts'
import { detectManifestKind, MAX_MANIFEST_BYTES, parseImageManifest } from '../oci/parse-image.ts'
import type { Platform } from '../oci/platform.ts'
import { dockerArchiveImages } from './docker-archive.ts'
import type { Image, ImageStore } from './image-store.ts'
import type { LayerPhase } from './layer-fetcher.ts'
import { imagesOfLayout } from './oci-archive.ts'
import { readImage } from './read-image.ts'
import { storeLayers } from './store-layers.ts'

export interface ImportProgress {
  readonly type: 'layer'
  readonly digest: string
  readonly phase: LayerPhase
  readonly bytes: number
  readonly size: number
}

export interface ImportOptions {
  readonly platform?: Platform | undefined
  /** Of the archive as it is, when it is known before its end. */
  readonly packedSize?: number | undefined
  readonly onProgress?: (event: ImportProgress) => void
  readonly signal?: AbortSignal | undefined
}

/** What the archive held, after one pass: its documents in memory, everything else as blobs. */
export interface ArchiveContents {
  /** Small documents at the top: `index.json`, `manifest.json`, `oci-layout`. */
  readonly documents: ReadonlyMap<string, Buffer>
  /** Every other file by its path, as it was stored. */
  readonly files: ReadonlyMap<string, Pick<Descriptor, 'digest' | 'size'>>
  /** Links of old docker archives, by path: `../<id>/layer.tar`. */
  readonly links: ReadonlyMap<string, string>
}

/** An image of an archive, before its layers are unpacked. */
export interface FoundImage {
  readonly target: Descriptor
  /** Whole names; empty for a nameless image. */
  readonly names: readonly string[]
}

/** Files at the top that are read into memory. */
export const DOCUMENTS: ReadonlySet<string> = new Set([
  'oci-layout',
  'index.json',
  'manifest.json',
  'repositories',
])
const MAX_FILES = 100_000

/** Imports every image of the archive. On failure nothing stays but blobs that another image has too. */
export async function importArchive(
  store: ImageStore,
  packed: AsyncIterable<Buffer>,
  options: ImportOptions = {},
): Promise<readonly Image[]> {
  return await importContents(store, () => readContents(store, packed, options), options)
}

/** Imports every image of what `read` brings into the store. On failure nothing new stays. */
export async function importContents(
  store: ImageStore,
  read: () => Promise<ArchiveContents>,
  options: ImportOptions = {},
): Promise<readonly Image[]> {
  const before = { blobs: new Set(store.content.list()), layers: new Set(store.snapshots.layers()) }
  try {
    return await importHeld(store, read, options)
  } catch (error) {
    await removeNew(store, before)
    throw error
  }
}

async function importHeld(
  store: ImageStore,
  read: () => Promise<ArchiveContents>,
  options: ImportOptions,
): Promise<readonly Image[]> {
  using _ = await store.content.hold()
  const contents = await read()
  const found = await findImages(store, contents)
  if (found.length === 0) throw new TsrunError('invalid-argument', 'it has no image in it')
  const images: Image[] = []
  for (const { target, names } of found) {
    const image = readImage(store, target, names, options.platform)
    await storeLayers(image.manifest, image.config, {
      content: store.content,
      snapshots: store.snapshots,
      maxInflated: store.maxInflated,
      open: () => missing(),
      onProgress: ({ descriptor: { digest, size } }, phase, bytes) =>
        options.onProgress?.({ type: 'layer', digest, phase, bytes, size }),
      signal: options.signal,
    })
    images.push(image)
  }
  // All or nothing: names only when every image is whole.
  for (const { target, names } of images) {
    if (names.length === 0) await store.names.addNameless(target)
    for (const name of names) await store.names.set(name, target)
  }
  return images
}

async function findImages(
  store: ImageStore,
  contents: ArchiveContents,
): Promise<readonly FoundImage[]> {
  if (contents.documents.has('index.json')) return imagesOfLayout(store, contents)
  if (contents.documents.has('manifest.json')) {
    const single = await singleManifest(store, contents)
    return single === undefined ? await dockerArchiveImages(store, contents) : [single]
  }
  throw new TsrunError(
    'invalid-argument',
    'it is neither an OCI image layout (index.json) nor a docker archive (manifest.json)',
  )
}

async function readContents(
  store: ImageStore,
  packed: AsyncIterable<Buffer>,
  { packedSize, signal }: ImportOptions,
): Promise<ArchiveContents> {
  const documents = new Map<string, Buffer>()
  const files = new Map<string, Pick<Descriptor, 'digest' | 'size'>>()
  const links = new Map<string, string>()
  const plain = inflate(packed, createZstdInflate, { packedSize, maximum: store.maxInflated })
  for await (const entry of readTarEntries(plain)) {
    signal?.throwIfAborted()
    const path = entryComponents(entry.name).join('/')
    if (files.size + links.size > MAX_FILES)
      throw new TsrunError('invalid-argument', `it has more than ${MAX_FILES} files`)
    if (entry.type === 'directory') continue
    if (entry.type === 'symlink' || entry.type === 'link') links.set(path, entry.linkName)
    else if (entry.type !== 'file' || entry.sparse !== undefined) {
      throw new TsrunError('invalid-argument', `its entry ${JSON.stringify(path)} is no plain file`)
    } else if (DOCUMENTS.has(path)) documents.set(path, await readDocument(entry, path))
    else files.set(path, await storeFile(store, entry, path))
  }
  return { documents, files, links }
}

// skopeo's `dir:` has the manifest itself where a docker archive has a list.
async function singleManifest(
  store: ImageStore,
  { documents }: ArchiveContents,
): Promise<FoundImage | undefined> {
  const bytes = documents.get('manifest.json') ?? Buffer.alloc(0)
  if (!bytes.includes('schemaVersion')) return undefined
  if (detectManifestKind(bytes) !== 'manifest')
    throw new TsrunError('invalid-argument', 'its manifest.json is no image manifest')
  const { mediaType = OCI_MANIFEST, config, layers } = parseImageManifest(bytes)
  for (const { digest, size } of [config, ...layers])
    if (!store.content.has(digest, size))
      throw new TsrunError(
        'invalid-argument',
        `its manifest.json names ${digest}, which is not there`,
      )
  return { target: { mediaType, ...(await store.content.write(bytes)) }, names: [] }
}

async function readDocument(entry: TarEntry, path: string): Promise<Buffer> {
  if (entry.size > MAX_MANIFEST_BYTES)
    throw new TsrunError(
      'invalid-argument',
      `its ${path} is larger than ${MAX_MANIFEST_BYTES} bytes`,
    )
  const chunks: Buffer[] = []
  for await (const chunk of entry.content) chunks.push(chunk)
  return Buffer.concat(chunks)
}

// A path of a layout says the digest: the content is held against it while it is written.
async function storeFile(
  store: ImageStore,
  entry: TarEntry,
  path: string,
): Promise<Pick<Descriptor, 'digest' | 'size'>> {
  const [folder, algorithm, hex, ...rest] = path.split('/')
  const digest = `${algorithm}:${hex}`
  if (folder !== 'blobs' || rest.length > 0 || !isDigest(digest))
    return await store.content.writeStream(entry.content)
  const descriptor = { digest, size: entry.size }
  using ingest = await store.content.openIngest(descriptor)
  if (ingest === undefined) return descriptor
  let skip = ingest.offset
  for await (const _ of ingest.replay()) {
    // Only for the digest: this part is here from an earlier attempt.
  }
  for await (const chunk of entry.content) {
    const wanted = chunk.subarray(Math.min(skip, chunk.length))
    skip -= chunk.length - wanted.length
    if (wanted.length > 0) await ingest.write(wanted)
  }
  await ingest.commit()
  return descriptor
}

// Only what this import brought, and only when nobody else may be counting on it.
async function removeNew(
  store: ImageStore,
  before: { readonly blobs: ReadonlySet<string>; readonly layers: ReadonlySet<string> },
): Promise<void> {
  using lock = store.content.tryExclusive()
  if (lock === undefined) return
  for (const digest of store.content.list())
    if (!before.blobs.has(digest)) store.content.remove(digest)
  await store.snapshots.removeLayers(before.layers)
}

// biome-ignore lint/correctness/useYield: an archive has all its blobs in it, or the image is refused
async function* missing(): AsyncGenerator<Buffer> {
  throw new TsrunError('invalid-argument', 'one of its layers is missing in the archive')
}
