/** `system df`: what images, containers, volumes and builds take on the disk, and what of it can be had back. */
import { lstatSync } from 'node:fs'
import { usageOf } from '../snapshots/usage.ts'
import { buildCacheUsage } from './build/prune-builds.ts'
import type { Engine } from './engine.ts'
import { type Image, imagesOf } from './images.ts'
import { everyContainer, type ListedContainer } from './list-containers.ts'
import { everyVolume, type ListedVolume } from './volumes/list-volumes.ts'
import { sizeOf } from './volumes/remove-volume.ts'

export interface ImageUsage {
  readonly image: Image
  /** Bytes of its unpacked layers. */
  readonly size: number
  /** Bytes of layers that another image has too. */
  readonly shared: number
  /** Names of the containers made of it. */
  readonly containers: readonly string[]
}

export interface ContainerUsageOnDisk {
  readonly container: ListedContainer
  /** Bytes that the container wrote. */
  readonly size: number
}

export interface VolumeUsage extends ListedVolume {
  readonly size: number
}

export interface Total {
  readonly count: number
  readonly active: number
  readonly bytes: number
  readonly reclaimable: number
}

export interface DiskUsage {
  readonly images: readonly ImageUsage[]
  readonly containers: readonly ContainerUsageOnDisk[]
  readonly volumes: readonly VolumeUsage[]
  readonly imageTotal: Total
  readonly volumeTotal: Total
  readonly containerTotal: Total
  /** Of builds: all of it can be had back. */
  readonly cacheTotal: Total
}

/** Counts it all; the tree of each container is walked. */
export function diskUsage(engine: Engine): DiskUsage {
  const listed = everyContainer(engine)
  const containers = listed.map((container) => ({
    container,
    size: writtenBy(engine, container.record.id),
  }))
  const running = containers.filter(({ container }) =>
    ['running', 'paused'].includes(container.status.status),
  )
  const images = imageUsages(engine, listed)
  const volumes = everyVolume(engine).map((listed) => ({
    ...listed,
    size: sizeOf(engine, listed.volume.name),
  }))
  const cache = buildCacheUsage(engine)
  const cacheBytes = cache.layerBytes + cache.mountBytes
  const unused = volumes.filter(({ users }) => users.length === 0)
  return {
    images,
    containers,
    volumes,
    imageTotal: totalOfImages(engine, images, cache.layerBytes),
    cacheTotal: { count: cache.count, active: 0, bytes: cacheBytes, reclaimable: cacheBytes },
    volumeTotal: {
      count: volumes.length,
      active: volumes.length - unused.length,
      bytes: sum(volumes.map(({ size }) => size)),
      reclaimable: sum(unused.map(({ size }) => size)),
    },
    containerTotal: {
      count: containers.length,
      active: running.length,
      bytes: sum(containers.map(({ size }) => size)),
      reclaimable: sum(
        containers.filter((each) => !running.includes(each)).map(({ size }) => size),
      ),
    },
  }
}

/** Bytes that the container with this id wrote; its empty folder counts nothing. */
export function writtenBy(engine: Engine, id: string): number {
  const snapshots = engine.snapshotter()
  if (!snapshots.activeKeys().includes(id)) return 0
  const folder = snapshots.writableFolder(id)
  return usageOf(folder).bytes - lstatSync(folder).blocks * 512
}

/** Bytes of everything in the image store: unpacked layers and blobs. */
export function imageStoreBytes(engine: Engine): number {
  const { content, snapshots } = imagesOf(engine)
  return (
    sum(content.list().map((digest) => content.sizeOf(digest) ?? 0)) +
    sum(snapshots.layers().map((chainId) => snapshots.layer(chainId)?.size ?? 0))
  )
}

function imageUsages(engine: Engine, listed: readonly ListedContainer[]): ImageUsage[] {
  const store = imagesOf(engine)
  const { snapshots } = store
  const images = store.list()
  const sizeOf = (chainId: string): number => snapshots.layer(chainId)?.size ?? 0
  const owners = new Map<string, number>()
  for (const { chainIds } of images)
    for (const chainId of chainIds) owners.set(chainId, (owners.get(chainId) ?? 0) + 1)
  return images.map((image) => ({
    image,
    size: sum(image.chainIds.map(sizeOf)),
    shared: sum(image.chainIds.filter((chainId) => (owners.get(chainId) ?? 0) > 1).map(sizeOf)),
    containers: listed
      .filter(({ record }) => record.image?.id === image.id)
      .map(({ record }) => record.name),
  }))
}

// Blobs too: they are kept for push and save, and a layer takes its place twice.
function totalOfImages(engine: Engine, images: readonly ImageUsage[], ofBuilds: number): Total {
  const { content, snapshots } = imagesOf(engine)
  const used = images.filter(({ containers }) => containers.length > 0)
  const kept = new Set(used.flatMap(({ image }) => image.chainIds))
  const keptBlobs = new Set(used.flatMap(({ image }) => blobsOf(image)))
  const bytes = imageStoreBytes(engine) - ofBuilds
  const needed =
    sum([...kept].map((chainId) => snapshots.layer(chainId)?.size ?? 0)) +
    sum([...keptBlobs].map((digest) => content.sizeOf(digest) ?? 0))
  return { count: images.length, active: used.length, bytes, reclaimable: bytes - needed }
}

function blobsOf({ target, manifestDescriptor, manifest }: Image): string[] {
  return [
    target.digest,
    manifestDescriptor.digest,
    manifest.config.digest,
    ...manifest.layers.map(({ digest }) => digest),
  ]
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
