/**
 * The names of images: index.json of the layout. Readers take no lock (the file is replaced whole);
 * writers hold flock(2) on `.index-lock` for the time of one rewrite.
 */
import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { TsrunError } from '../errors.ts'
import { isDigest } from '../oci/digest.ts'
import type { Descriptor, ImageIndex } from '../oci/image.ts'
import { OCI_INDEX } from '../oci/media-types.ts'
import { removeStaleTemporaries } from '../util/atomic-write.ts'
import { readJsonFile, writeJsonFile } from '../util/json-file.ts'
import type { FileLocks } from './content-store.ts'

/** skopeo and others select by the first, containerd by the second; both hold the whole name here. */
const REF_NAME = 'org.opencontainers.image.ref.name'
const IMAGE_NAME = 'io.containerd.image.name'

/** Whoever writes a file directly in the layout's folder holds it: all temporaries there belong to its holder. */
export const INDEX_LOCK = '.index-lock'

/** An image as it was stored: the descriptor of its index or manifest, and its name when it has one. */
export interface NamedImage {
  /** As `docker.io/library/busybox:latest`; undefined when another image took the name. */
  readonly name: string | undefined
  readonly target: Descriptor
}

export class ImageNames {
  readonly #root: string
  readonly #locks: FileLocks

  constructor(root: string, locks: FileLocks) {
    this.#root = root
    this.#locks = locks
  }

  list(): readonly NamedImage[] {
    return this.#read().map(({ annotations = {}, ...target }) => {
      const { [REF_NAME]: ref, [IMAGE_NAME]: name = ref, ...rest } = annotations
      return {
        name,
        target: Object.keys(rest).length === 0 ? target : { ...target, annotations: rest },
      }
    })
  }

  find(name: string): Descriptor | undefined {
    return this.list().find((image) => image.name === name)?.target
  }

  /** Gives `target` the name; the image that had it stays, nameless unless it has another. */
  async set(name: string, target: Descriptor): Promise<void> {
    await this.#change((images) => {
      const others = images.filter((image) => image.name !== name)
      const displaced = images.find(
        (image) => image.name === name && image.target.digest !== target.digest,
      )
      return [...withNameless(others, displaced), { name, target }]
    })
  }

  /** Keeps an image that has no name. */
  async addNameless(target: Descriptor): Promise<void> {
    await this.#change((images) => [...images, { name: undefined, target }])
  }

  /** Takes names away; an image goes with its last one. */
  async remove(names: readonly string[]): Promise<void> {
    await this.#change((images) =>
      images.filter(({ name }) => name === undefined || !names.includes(name)),
    )
  }

  /** Removes all entries of these targets, named and nameless. */
  async removeTargets(digests: readonly string[]): Promise<void> {
    await this.#change((images) => images.filter(({ target }) => !digests.includes(target.digest)))
  }

  /** A new index with these images, nameless; the old one, which cannot be read, stays beside it for a person. */
  async rebuild(targets: readonly Descriptor[]): Promise<void> {
    const lock = await this.#locks.lock(join(this.#root, INDEX_LOCK), 'exclusive')
    try {
      const path = join(this.#root, 'index.json')
      renameSync(path, `${path}.damaged`)
      this.#write(targets)
    } finally {
      lock[Symbol.dispose]()
    }
  }

  async #change(change: (images: readonly NamedImage[]) => readonly NamedImage[]): Promise<void> {
    const lock = await this.#locks.lock(join(this.#root, INDEX_LOCK), 'exclusive')
    try {
      removeStaleTemporaries(this.#root)
      this.#write(dropNeedless(change(this.list())).map(toEntry))
    } finally {
      lock[Symbol.dispose]()
    }
  }

  #write(manifests: readonly Descriptor[]): void {
    const index: ImageIndex = { schemaVersion: 2, mediaType: OCI_INDEX, manifests }
    writeJsonFile(join(this.#root, 'index.json'), index, { mode: 0o644 })
  }

  #read(): readonly Descriptor[] {
    const path = join(this.#root, 'index.json')
    const value = readJsonFile(path)
    if (value === undefined) return []
    const manifests: unknown =
      typeof value === 'object' && value !== null ? Reflect.get(value, 'manifests') : undefined
    if (Array.isArray(manifests) && manifests.every(isDescriptor)) return manifests
    throw new TsrunError(
      'failed-precondition',
      `cannot read "${path}": it is not an OCI image index`,
    )
  }
}

function isDescriptor(value: unknown): value is Descriptor {
  if (typeof value !== 'object' || value === null) return false
  const digest: unknown = Reflect.get(value, 'digest')
  return (
    typeof digest === 'string' &&
    isDigest(digest) &&
    typeof Reflect.get(value, 'mediaType') === 'string'
  )
}

function withNameless(
  images: readonly NamedImage[],
  displaced: NamedImage | undefined,
): readonly NamedImage[] {
  if (displaced === undefined) return images
  return [...images, { name: undefined, target: displaced.target }]
}

// A nameless entry only keeps an image that has no name at all, once.
function dropNeedless(images: readonly NamedImage[]): readonly NamedImage[] {
  const kept = new Set(
    images.filter(({ name }) => name !== undefined).map(({ target }) => target.digest),
  )
  return images.filter(({ name, target }) => {
    if (name !== undefined) return true
    if (kept.has(target.digest)) return false
    kept.add(target.digest)
    return true
  })
}

function toEntry({ name, target }: NamedImage): Descriptor {
  if (name === undefined) return target
  return { ...target, annotations: { ...target.annotations, [REF_NAME]: name, [IMAGE_NAME]: name } }
}
