/** Makes small images in memory and puts them into registries and archives. */
import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import type { Descriptor, ImageConfig } from '../../src/oci/image.ts'
import {
  DOCKER_CONFIG,
  DOCKER_LAYER_GZIP,
  DOCKER_MANIFEST,
  DOCKER_MANIFEST_LIST,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER,
  OCI_LAYER_GZIP,
  OCI_MANIFEST,
} from '../../src/oci/media-types.ts'
import type { Platform } from '../../src/oci/platform.ts'
import { buildTar, type TarInput } from './tar-builder.ts'

export interface MadeBlob {
  readonly descriptor: Descriptor
  readonly bytes: Buffer
}

export interface MadeImage {
  readonly manifest: MadeBlob
  readonly config: MadeBlob
  readonly layers: readonly MadeBlob[]
  readonly diffIds: readonly string[]
  readonly platform: Platform
}

export interface MakeImageOptions {
  readonly kind?: 'oci' | 'docker'
  readonly compress?: 'gzip' | 'none' | ((tar: Buffer) => Buffer)
  readonly layerType?: string
  readonly platform?: Platform
  readonly config?: ImageConfig['config']
  /** Changes the documents before they are hashed. */
  readonly editManifest?: (manifest: Record<string, unknown>) => void
  readonly editConfig?: (config: Record<string, unknown>) => void
}

const AMD64: Platform = { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' }

/** An image with one layer for each list of entries (or ready tar). */
export function makeImage(
  layers: readonly (readonly TarInput[] | Buffer)[],
  options: MakeImageOptions = {},
): MadeImage {
  const isDocker = options.kind === 'docker'
  const platform = options.platform ?? AMD64
  const tars = layers.map((layer) => (Buffer.isBuffer(layer) ? layer : buildTar(layer)))
  const diffIds = tars.map(digestOf)
  const plain = options.compress === 'none'
  const layerType =
    options.layerType ?? (isDocker ? DOCKER_LAYER_GZIP : plain ? OCI_LAYER : OCI_LAYER_GZIP)
  const pack =
    typeof options.compress === 'function'
      ? options.compress
      : plain
        ? (tar: Buffer) => tar
        : (tar: Buffer) => gzipSync(tar, { level: 1 })
  const packed = tars.map((tar) => blob(layerType, pack(tar)))
  const configObject: Record<string, unknown> = {
    created: '2024-01-02T03:04:05Z',
    architecture: platform.architecture,
    os: platform.os,
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
    config: options.config ?? { Cmd: ['/bin/sh'], Env: ['PATH=/bin'] },
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: diffIds.map((_, i) => ({ created: '2024-01-02T03:04:05Z', created_by: `layer ${i}` })),
  }
  options.editConfig?.(configObject)
  const config = blob(isDocker ? DOCKER_CONFIG : OCI_CONFIG, json(configObject))
  const manifestType = isDocker ? DOCKER_MANIFEST : OCI_MANIFEST
  const manifestObject: Record<string, unknown> = {
    schemaVersion: 2,
    mediaType: manifestType,
    config: config.descriptor,
    layers: packed.map(({ descriptor }) => descriptor),
  }
  options.editManifest?.(manifestObject)
  return {
    manifest: blob(manifestType, json(manifestObject)),
    config,
    layers: packed,
    diffIds,
    platform,
  }
}

/** An index over several images. */
export function makeIndex(images: readonly MadeImage[], kind: 'oci' | 'docker' = 'oci'): MadeBlob {
  const mediaType = kind === 'docker' ? DOCKER_MANIFEST_LIST : OCI_INDEX
  const manifests = images.map(({ manifest, platform }) => ({ ...manifest.descriptor, platform }))
  return blob(mediaType, json({ schemaVersion: 2, mediaType, manifests }))
}

/** Pushes the image (and, with `index`, an index over all `images`) by the distribution API. */
export async function pushImage(
  registry: string,
  repository: string,
  tag: string,
  images: MadeImage | readonly MadeImage[],
  index?: MadeBlob,
): Promise<void> {
  const list = 'manifest' in images ? [images] : images
  for (const image of list) {
    for (const part of [image.config, ...image.layers]) await pushBlob(registry, repository, part)
    await putManifest(
      registry,
      repository,
      index === undefined ? tag : image.manifest.descriptor.digest,
      image.manifest,
    )
  }
  if (index !== undefined) await putManifest(registry, repository, tag, index)
}

async function pushBlob(
  registry: string,
  repository: string,
  { descriptor, bytes }: MadeBlob,
): Promise<void> {
  const base = `http://${registry}/v2/${repository}`
  const head = await fetch(`${base}/blobs/${descriptor.digest}`, { method: 'HEAD' })
  if (head.ok) return
  const start = await fetch(`${base}/blobs/uploads/`, { method: 'POST' })
  const location = new URL(start.headers.get('location') ?? '', base)
  location.searchParams.set('digest', descriptor.digest)
  const put = await fetch(location, {
    method: 'PUT',
    body: new Uint8Array(bytes),
    headers: { 'content-type': 'application/octet-stream' },
  })
  if (!put.ok) throw new Error(`push of ${descriptor.digest}: ${put.status} ${await put.text()}`)
}

async function putManifest(
  registry: string,
  repository: string,
  name: string,
  { descriptor, bytes }: MadeBlob,
): Promise<void> {
  const put = await fetch(`http://${registry}/v2/${repository}/manifests/${name}`, {
    method: 'PUT',
    body: new Uint8Array(bytes),
    headers: { 'content-type': descriptor.mediaType },
  })
  if (!put.ok) throw new Error(`push of ${name}: ${put.status} ${await put.text()}`)
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

export function blob(mediaType: string, bytes: Buffer): MadeBlob {
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, bytes }
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}
