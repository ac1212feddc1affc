/** The images of this machine for Node programs: list, inspect, tag, remove, save, load. */
import type { RemovedImage } from '../images/image-store.ts'
import type { ImportProgress } from '../images/import-archive.ts'
import { defaultDataRoot, defaultStateRoot } from './default-roots.ts'
import { openEngine } from './engine.ts'
import {
  imagesOf,
  loadImages as loadByPath,
  removeImage as removeByName,
  saveImages as saveByNames,
} from './images.ts'
import type { PulledImage } from './library-images.ts'

export type { ImportProgress, RemovedImage }

export interface ImageStoreOptions {
  /** Where images and layers are; /var/lib/tsrun by default. */
  readonly dataRoot?: string
}

export interface ImageInspectOptions extends ImageStoreOptions {
  /** Asks the registries of the image's names what they have about it; nobody is asked otherwise. */
  readonly referrers?: boolean
  readonly verifyTls?: boolean
  readonly signal?: AbortSignal
}

export interface ImageRemoveOptions extends ImageStoreOptions {
  /** Also when several names lead to the image, or containers use it. */
  readonly force?: boolean
  /** Where the state of running containers is; /run/tsrun-engine by default. */
  readonly stateRoot?: string
}

export interface ImageSaveOptions extends ImageStoreOptions {
  readonly platform?: string
  readonly signal?: AbortSignal
}

export interface ImageLoadOptions extends ImageStoreOptions {
  readonly platform?: string
  readonly signal?: AbortSignal
  readonly onProgress?: (event: ImportProgress) => void
}

/** All images, one for each digest. */
export async function listImages(options: ImageStoreOptions = {}): Promise<readonly PulledImage[]> {
  return imagesOf(rootOf(options)).list().map(summaryOf)
}

/** Everything about an image, as `tsrun image inspect` shows it. */
export async function inspectImage(
  name: string,
  options: ImageInspectOptions = {},
): Promise<Record<string, unknown>> {
  const { inspectImage: inspect } = await import('./inspect-image.ts')
  const store = imagesOf(rootOf(options))
  const image = store.resolve(name)
  const shown = inspect(store, image)
  if (options.referrers !== true) return shown
  const { referrersOf } = await import('./image-referrers.ts')
  const { verifyTls = true, signal } = options
  return { ...shown, Referrers: await referrersOf(image, { verifyTls, signal }) }
}

/** Gives an image one more name. */
export async function tagImage(
  name: string,
  newName: string,
  options: ImageStoreOptions = {},
): Promise<void> {
  await imagesOf(rootOf(options)).tag(name, newName)
}

/** Takes a name away; with its last one the image goes, and what no other image needs. */
export async function removeImage(
  name: string,
  options: ImageRemoveOptions = {},
): Promise<RemovedImage> {
  const engine = openEngine({
    ...rootOf(options),
    stateRoot: options.stateRoot ?? defaultStateRoot(),
    // Only monitors run it, and this starts none.
    command: [],
  })
  return await removeByName(engine, name, options.force === true)
}

/** The tar of images, which is an OCI image layout and a docker archive at once. */
export async function* saveImages(
  names: readonly string[],
  options: ImageSaveOptions = {},
): AsyncGenerator<Buffer> {
  const { platform, signal } = options
  for await (const chunk of await saveByNames(rootOf(options), { images: names, platform })) {
    signal?.throwIfAborted()
    yield chunk
  }
}

/** Loads every image of the archive or folder at `path`; all or none. */
export async function loadImages(
  path: string,
  options: ImageLoadOptions = {},
): Promise<readonly PulledImage[]> {
  const { platform, signal, onProgress } = options
  signal?.throwIfAborted()
  const images = await loadByPath(rootOf(options), {
    path,
    platform,
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
  })
  return images.map(summaryOf)
}

function rootOf({ dataRoot = defaultDataRoot() }: ImageStoreOptions): { dataRoot: string } {
  return { dataRoot }
}

function summaryOf({
  id,
  target,
  names,
}: Pick<PulledImage, 'id' | 'names'> & {
  readonly target: { readonly digest: string }
}): PulledImage {
  return { id, digest: target.digest, names }
}
