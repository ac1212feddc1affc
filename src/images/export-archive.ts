/**
 * Writes images as one tar that is an OCI image layout (image-spec image-layout.md) and, by its
 * manifest.json, also what `docker load` of any age reads.
 */
import { createHash } from 'node:crypto'
import { type PackedFile, packTar } from '../archive/tar-pack.ts'
import { TsrunError } from '../errors.ts'
import { parseDigest } from '../oci/digest.ts'
import type { Descriptor } from '../oci/image.ts'
import { OCI_INDEX } from '../oci/media-types.ts'
import { familiarReference, parseReference } from '../oci/reference.ts'
import type { Image, ImageStore } from './image-store.ts'

export interface ExportedImage {
  readonly image: Image
  /** The names it is saved under. */
  readonly names: readonly string[]
}

/** The tar in chunks; each blob is verified while it is read. */
export function exportArchive(
  store: ImageStore,
  images: readonly ExportedImage[],
): AsyncGenerator<Buffer> {
  return packTar(layoutFiles(store, images))
}

/** The files of the layout, blobs last. */
export function layoutFiles(
  store: ImageStore,
  images: readonly ExportedImage[],
): Generator<PackedFile> {
  checkWhole(store, images)
  return archiveFiles(store, images)
}

/** The files of skopeo's `dir:` format (containers-transports(5)), which holds one image. */
export function* dirFiles(store: ImageStore, image: ExportedImage): Generator<PackedFile> {
  checkWhole(store, [image])
  const { manifestDescriptor, manifest } = image.image
  yield text('version', 'Directory Transport Version: 1.1\n')
  yield { ...file(store, manifestDescriptor), name: 'manifest.json' }
  const written = new Set<string>()
  for (const descriptor of [manifest.config, ...manifest.layers]) {
    const { hex } = parseDigest(descriptor.digest)
    if (written.has(hex)) continue
    written.add(hex)
    yield { ...file(store, descriptor), name: hex }
  }
}

function checkWhole(store: ImageStore, images: readonly ExportedImage[]): void {
  for (const { image } of images) {
    for (const { digest, size } of blobsOfImage(image)) {
      if (store.content.has(digest, size)) continue
      throw new TsrunError(
        'failed-precondition',
        `cannot save image "${nameOf(image)}": its blob ${digest} is missing`,
        { hint: 'pull it again' },
      )
    }
  }
}

function* archiveFiles(store: ImageStore, images: readonly ExportedImage[]): Generator<PackedFile> {
  yield document('oci-layout', { imageLayoutVersion: '1.0.0' })
  yield document('index.json', {
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: images.flatMap(indexEntries),
  })
  yield document('manifest.json', images.map(dockerEntry))
  const written = new Set<string>()
  for (const descriptor of images.flatMap(({ image }) => blobsOfImage(image))) {
    if (written.has(descriptor.digest)) continue
    written.add(descriptor.digest)
    yield file(store, descriptor)
  }
}

function indexEntries({ image, names }: ExportedImage): Descriptor[] {
  const { mediaType, digest, size } = image.manifestDescriptor
  const { os, architecture, variant } = image.config
  const base = {
    mediaType,
    digest,
    size,
    platform: { os, architecture, ...(variant === undefined ? {} : { variant }) },
  }
  if (names.length === 0) return [base]
  return names.map((name) => ({
    ...base,
    annotations: { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name },
  }))
}

function dockerEntry({ image, names }: ExportedImage): object {
  return {
    Config: blobPath(image.manifest.config.digest),
    RepoTags: names
      .filter((name) => !name.includes('@'))
      .map((name) => familiarReference(parseReference(name))),
    Layers: image.manifest.layers.map(({ digest }) => blobPath(digest)),
  }
}

function blobsOfImage(image: Image): readonly Descriptor[] {
  return [image.manifestDescriptor, image.manifest.config, ...image.manifest.layers]
}

async function* verified(store: ImageStore, { digest }: Descriptor): AsyncGenerator<Buffer> {
  const { algorithm, hex } = parseDigest(digest)
  const hash = createHash(algorithm)
  for await (const chunk of store.content.stream(digest)) {
    hash.update(chunk)
    yield chunk
  }
  if (hash.digest('hex') !== hex) {
    throw new TsrunError(
      'failed-precondition',
      `cannot save blob "${digest}": its content is damaged`,
      { hint: 'remove the image and pull it again' },
    )
  }
}

function file(store: ImageStore, descriptor: Descriptor): PackedFile {
  const { digest, size } = descriptor
  return { name: blobPath(digest), size, content: verified(store, descriptor) }
}

function document(name: string, value: unknown): PackedFile {
  return text(name, JSON.stringify(value))
}

function text(name: string, content: string): PackedFile {
  const bytes = Buffer.from(content)
  return { name, size: bytes.length, content: [bytes] }
}

function blobPath(digest: string): string {
  const { algorithm, hex } = parseDigest(digest)
  return `blobs/${algorithm}/${hex}`
}

function nameOf(image: Image): string {
  return image.names[0] ?? image.id
}
