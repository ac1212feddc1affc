/** The engine's verbs on images, by the words that users type; each opens the store, does one thing and returns data. */
import { statSync } from 'node:fs'
import { TsrunError } from '../errors.ts'
import type { ExportedImage } from '../images/export-archive.ts'
import type { Image, ImageStore, RemovedImage } from '../images/image-store.ts'
import type { ImportProgress } from '../images/import-archive.ts'
import { openImageStore } from '../images/open-image-store.ts'
import { hostPlatform, type Platform, parsePlatform } from '../oci/platform.ts'
import { familiarReference, parseReference } from '../oci/reference.ts'
import { inputError, openInput, sizeOfInput } from './archive-input.ts'
import type { Engine } from './engine.ts'
import { objectEvent } from './events/event.ts'
import { recordEvent } from './events/event-log.ts'
import { applyChange } from './image-changes.ts'

export type { Image, RemovedImage }

/** The store of the engine's data root, with what killed processes left removed. */
export function imagesOf({ dataRoot }: Pick<Engine, 'dataRoot'>): ImageStore {
  const store = openImageStore(dataRoot)
  store.sweep()
  return store
}

/** The platform that a user wrote; undefined for none. */
export function platformOf(text: string | undefined): Platform | undefined {
  return text === undefined ? undefined : parsePlatform(text, hostPlatform(process.arch))
}

/** Removes an image by name or id; without force not while a container uses it. */
export async function removeImage(
  engine: Engine,
  text: string,
  force: boolean,
): Promise<RemovedImage> {
  const usedBy = (imageId: string): readonly string[] =>
    engine.containers.ids().filter((id) => engine.containers.read(id)?.image?.id === imageId)
  const store = imagesOf(engine)
  const { id } = store.resolve(text)
  const removed = await store.remove(text, { force, usedBy })
  for (const name of removed.untagged) recordImage(engine, 'untag', id, name)
  if (removed.deleted.length > 0) recordImage(engine, 'delete', id, id)
  return removed
}

/** Gives an image another name. */
export async function tagImage(engine: Pick<Engine, 'dataRoot'>, text: string, name: string) {
  const store = imagesOf(engine)
  await store.tag(text, name)
  recordImage(engine, 'tag', store.resolve(name).id, name)
}

/** Writes down what has become of an image: docker's word, its id or what it was pulled as, and its name. */
export function recordImage(
  { dataRoot }: Pick<Engine, 'dataRoot'>,
  action: string,
  id: string,
  name: string,
): void {
  recordEvent(dataRoot, objectEvent('image', action, id, { name }))
}

// As people write it; an image without a name goes by its digest.
function familiarName(name: string): string {
  return name.startsWith('sha256:') ? name : familiarReference(parseReference(name))
}

/** How images are saved: one tar that is both, or a folder. */
export type SaveFormat = 'oci-archive' | 'docker-archive' | 'oci-dir' | 'docker-dir'

export interface SaveRequest {
  readonly images: readonly string[]
  readonly platform: string | undefined
}

/** The tar of the images, each under the name it is given by, or under all its names when given by id. */
export async function saveImages(
  engine: Pick<Engine, 'dataRoot'>,
  request: SaveRequest,
): Promise<AsyncGenerator<Buffer>> {
  const { exportArchive } = await import('../images/export-archive.ts')
  const store = imagesOf(engine)
  const images = exported(store, request)
  recordSaved(engine, images)
  return exportArchive(store, images)
}

/** The images in a new folder: an OCI image layout, or skopeo's `dir:` with one image. */
export async function saveFolder(
  engine: Pick<Engine, 'dataRoot'>,
  request: SaveRequest & { readonly folder: string; readonly format: 'oci-dir' | 'docker-dir' },
): Promise<void> {
  const { dirFiles, layoutFiles } = await import('../images/export-archive.ts')
  const { writeFolder } = await import('../images/write-folder.ts')
  const store = imagesOf(engine)
  const images = exported(store, request)
  recordSaved(engine, images)
  const [first] = images
  if (request.format === 'oci-dir')
    return await writeFolder(request.folder, layoutFiles(store, images))
  if (first === undefined || images.length > 1)
    throw new TsrunError(
      'invalid-argument',
      'cannot save several images as docker-dir: it holds one',
    )
  await writeFolder(request.folder, dirFiles(store, first))
}

function recordSaved(engine: Pick<Engine, 'dataRoot'>, images: readonly ExportedImage[]): void {
  for (const { image, names } of images)
    recordImage(engine, 'save', image.id, familiarName(names[0] ?? image.id))
}

function exported(store: ImageStore, { images, platform }: SaveRequest): readonly ExportedImage[] {
  return images.map((text) => {
    const image = store.resolve(text, platformOf(platform))
    const named = image.names.filter((name) => name === store.wholeName(text))
    return { image, names: named.length > 0 ? named : image.names }
  })
}

export interface LoadRequest {
  /** A file or a folder; standard input when undefined. */
  readonly path: string | undefined
  readonly platform: string | undefined
  readonly onProgress?: (event: ImportProgress) => void
  readonly signal?: AbortSignal
}

/** Loads every image of an archive or a folder: what is at `path`, or standard input. */
export async function loadImages(
  engine: Pick<Engine, 'dataRoot'>,
  { path, platform, onProgress, signal }: LoadRequest,
): Promise<readonly Image[]> {
  const options = {
    platform: platformOf(platform),
    ...(onProgress === undefined ? {} : { onProgress }),
    signal,
  }
  try {
    if (path !== undefined && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) {
      const { importFolder } = await import('../images/import-folder.ts')
      return recordLoaded(engine, await importFolder(imagesOf(engine), path, options))
    }
    const { importArchive } = await import('../images/import-archive.ts')
    const packedSize = sizeOfInput(path)
    const archive = { ...options, packedSize }
    return recordLoaded(engine, await importArchive(imagesOf(engine), openInput(path), archive))
  } catch (cause) {
    throw inputError('load', path, cause)
  }
}

function recordLoaded(
  engine: Pick<Engine, 'dataRoot'>,
  images: readonly Image[],
): readonly Image[] {
  for (const { id, names } of images) recordImage(engine, 'load', id, familiarName(names[0] ?? id))
  return images
}

export interface ImportRequest {
  /** The tar; standard input when undefined. */
  readonly path: string | undefined
  readonly name: string | undefined
  readonly message?: string | undefined
  readonly changes: readonly string[]
  readonly platform: string | undefined
}

/** Makes an image of one layer from the tar of a root filesystem. */
export async function importImage(
  engine: Pick<Engine, 'dataRoot'>,
  { path, platform, changes, ...options }: ImportRequest,
): Promise<Image> {
  // Before anything is read: a mistake in it must not cost minutes.
  const config = changes.reduce(applyChange, {})
  const store = imagesOf(engine)
  try {
    const { importRootfs } = await import('../images/import-rootfs.ts')
    const image = await importRootfs(store, openInput(path), {
      ...options,
      process: config,
      packedSize: sizeOfInput(path),
      platform: platformOf(platform),
      created: new Date(),
    })
    recordImage(engine, 'import', image.id, options.name ?? image.id)
    return image
  } catch (cause) {
    await store.collectGarbage()
    throw inputError('import', path, cause)
  }
}
