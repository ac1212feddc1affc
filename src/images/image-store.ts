/** The images of this machine: what the names lead to, and what may be removed. */
import type { ContentStore } from '../content/content-store.ts'
import type { ImageNames } from '../content/image-names.ts'
import { TsrunError } from '../errors.ts'
import type { Descriptor, ImageConfig, ImageManifest } from '../oci/image.ts'
import type { Platform } from '../oci/platform.ts'
import {
  familiarReference,
  formatReference,
  parseReference,
  repositoryName,
} from '../oci/reference.ts'
import type { Snapshotter } from '../snapshots/snapshotter.ts'
import type { BuildCache } from './build-cache.ts'
import { blobsOf, readImage } from './read-image.ts'
import { findImages } from './rebuild-index.ts'

/** An image that can run here: everything but the blobs of its layers has been read. */
export interface Image {
  /** Digest of the configuration: docker's and podman's image id. */
  readonly id: string
  /** All names that lead to it, whole: `docker.io/library/busybox:latest`. */
  readonly names: readonly string[]
  /** What the names point to: an index or a manifest. */
  readonly target: Descriptor
  readonly manifestDescriptor: Descriptor
  readonly manifest: ImageManifest
  readonly config: ImageConfig
  /** Chain IDs of its layers from the base up: what a snapshot is prepared from. */
  readonly chainIds: readonly string[]
}

export interface RemovedImage {
  readonly untagged: readonly string[]
  /** Ids of images, then digests of layers. */
  readonly deleted: readonly string[]
}

export interface RemoveOptions {
  /** Also when several names lead to the image, or containers use it. */
  readonly force: boolean
  /** Ids (not names) of containers that use the image with this id. */
  readonly usedBy: (imageId: string) => readonly string[]
}

export class ImageStore {
  readonly content: ContentStore
  readonly names: ImageNames
  readonly snapshots: Snapshotter
  readonly builds: BuildCache
  readonly hostPlatform: Platform
  /** Bytes that compressed data may become when the user has set a limit of his own. */
  readonly maxInflated: number | undefined

  constructor(parts: {
    content: ContentStore
    names: ImageNames
    snapshots: Snapshotter
    builds: BuildCache
    hostPlatform: Platform
    maxInflated?: number | undefined
  }) {
    this.content = parts.content
    this.names = parts.names
    this.snapshots = parts.snapshots
    this.builds = parts.builds
    this.hostPlatform = parts.hostPlatform
    this.maxInflated = parts.maxInflated
  }

  /** All images, one for each target, in the order in which they came. */
  list(): readonly Image[] {
    const targets = new Map<string, { target: Descriptor; names: string[] }>()
    for (const { name, target } of this.names.list()) {
      const known = targets.get(target.digest) ?? { target, names: [] }
      if (name !== undefined) known.names.push(name)
      targets.set(target.digest, known)
    }
    return [...targets.values()].map(({ target, names }) => readImage(this, target, names))
  }

  /**
   * The image that `text` means: a name with docker's defaults, an id or the start of one, or a digest.
   * With `platform`, the manifest for it. Throws `not-found`.
   */
  resolve(text: string, platform?: Platform): Image {
    const image = this.find(text, platform)
    if (image !== undefined) return image
    throw new TsrunError('not-found', `cannot find image "${text}"`, {
      hint: `tsrun images lists those that are here, tsrun pull ${text} fetches it`,
    })
  }

  /** As {@link resolve}; undefined when there is none. */
  find(text: string, platform?: Platform): Image | undefined {
    const entries = this.names.list()
    const target = this.#findNamed(text, entries) ?? this.#findById(text)
    if (target === undefined) return undefined
    const names = entries.flatMap(({ name, target: { digest } }) =>
      digest === target.digest && name !== undefined ? [name] : [],
    )
    return readImage(this, target, names, platform)
  }

  /** The whole name that `text` stands for; undefined when it is no name, as an id or a digest is none. */
  wholeName(text: string): string | undefined {
    try {
      return formatReference(parseReference(text))
    } catch (error) {
      if (error instanceof TsrunError && /^(sha256:)?[0-9a-f]+$/.test(text)) return undefined
      throw error
    }
  }

  /** Gives the image another name. */
  async tag(text: string, name: string): Promise<void> {
    const image = this.resolve(text)
    const reference = parseReference(name)
    if (reference.digest !== undefined) {
      throw new TsrunError(
        'invalid-argument',
        `cannot tag "${text}" as "${name}": a name with a digest cannot be given`,
      )
    }
    await this.names.set(formatReference(reference), image.target)
  }

  /** Takes the name away; with the last one the image goes, and with it what no other image needs. */
  async remove(text: string, options: RemoveOptions): Promise<RemovedImage> {
    const image = this.resolve(text)
    const isName = this.#findNamed(text, this.names.list()) !== undefined
    const untagged = isName
      ? image.names.filter((name) => name === this.wholeName(text))
      : image.names
    if (!isName && image.names.length > 1 && !options.force) {
      throw new TsrunError(
        'failed-precondition',
        `cannot remove image "${text}": it has several names`,
        {
          hint: 'remove them one by one, or use --force',
        },
      )
    }
    const goes = untagged.length === image.names.length
    const users = goes ? options.usedBy(image.id) : []
    if (users.length > 0 && !options.force) {
      throw new TsrunError(
        'failed-precondition',
        `cannot remove image "${text}": container ${users[0]?.slice(0, 12)} uses it`,
        {
          hint: 'remove the container first, or use --force',
        },
      )
    }
    if (goes) await this.names.removeTargets([image.target.digest])
    else await this.names.remove(untagged)
    const layers = goes ? await this.collectGarbage() : []
    return {
      untagged: untagged.map((name) => familiarReference(parseReference(name))),
      deleted: goes ? [image.id, ...layers] : [],
    }
  }

  /**
   * Removes blobs and layers that no image and no build needs, and parts of blobs that nobody fetches; returns the
   * chain IDs of removed layers. Does nothing while a pull or an import runs: what it has stored so far
   * has no name yet.
   */
  async collectGarbage(): Promise<readonly string[]> {
    using lock = this.content.tryExclusive()
    if (lock === undefined) return []
    const { blobs, usedChains } = this.#unneeded()
    for (const digest of blobs) this.content.remove(digest)
    this.content.removeUnfinished()
    return await this.snapshots.removeLayers(usedChains)
  }

  /** What {@link collectGarbage} would remove; the caller holds the content's exclusive lock. */
  garbage(): { readonly blobs: readonly string[]; readonly chainIds: readonly string[] } {
    const { blobs, usedChains } = this.#unneeded()
    return { blobs, chainIds: this.snapshots.unusedLayers(usedChains) }
  }

  /** A new index of the images that are here, without names, instead of a damaged one; returns their number. */
  async rebuildIndex(): Promise<number> {
    const images = findImages(this)
    await this.names.rebuild(images)
    return images.length
  }

  #unneeded(): { readonly blobs: readonly string[]; readonly usedChains: ReadonlySet<string> } {
    const ofBuilds = this.builds.kept()
    const usedBlobs = new Set(ofBuilds.blobs)
    const usedChains = new Set(ofBuilds.chainIds)
    for (const { target } of this.names.list()) {
      const { blobs, chainIds } = blobsOf(this, target)
      for (const digest of blobs) usedBlobs.add(digest)
      for (const chainId of chainIds) usedChains.add(chainId)
    }
    return { blobs: this.content.list().filter((digest) => !usedBlobs.has(digest)), usedChains }
  }

  /** Removes what killed processes left half made. Parts of blobs stay: the next pull goes on with them. */
  sweep(): void {
    this.snapshots.removeAbandoned()
    this.content.removeAbandoned()
  }

  #findNamed(text: string, entries: ReturnType<ImageNames['list']>): Descriptor | undefined {
    const whole = this.wholeName(text)
    if (whole === undefined) return undefined
    const reference = parseReference(whole)
    const exact = entries.find(({ name }) => name === whole)
    if (exact !== undefined || reference.digest === undefined) return exact?.target
    const repository = repositoryName(reference)
    return entries.find(
      ({ name, target }) =>
        target.digest === reference.digest &&
        name !== undefined &&
        repositoryName(parseReference(name)) === repository,
    )?.target
  }

  #findById(text: string): Descriptor | undefined {
    const hex = text.replace(/^sha256:/, '')
    if (!/^[0-9a-f]{1,64}$/.test(hex)) return undefined
    const isMatch = (digest: string): boolean => digest.startsWith(`sha256:${hex}`)
    const found = this.list().filter(
      (image) =>
        isMatch(image.id) ||
        isMatch(image.target.digest) ||
        isMatch(image.manifestDescriptor.digest),
    )
    if (new Set(found.map(({ id }) => id)).size > 1) {
      throw new TsrunError(
        'invalid-argument',
        `cannot find image "${text}": ${found.length} images start with it`,
        { hint: 'give more digits' },
      )
    }
    return found[0]?.target
  }
}
