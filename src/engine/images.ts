/** The engine's verbs on images, by the words that users type; each opens the store, does one thing and returns data. */
import { createReadStream } from 'node:fs'
import { TsrunError } from '../errors.ts'
import { exportArchive } from '../images/export-archive.ts'
import type { Image, ImageStore, RemovedImage } from '../images/image-store.ts'
import type { ImportProgress } from '../images/import-archive.ts'
import { openImageStore } from '../images/open-image-store.ts'
import type { PullProgress } from '../images/pull.ts'
import { hostPlatform, type Platform, parsePlatform } from '../oci/platform.ts'
import { parseReference } from '../oci/reference.ts'
import type { Engine } from './engine.ts'

export type { Image, PullProgress, RemovedImage }

export interface PullRequest {
  readonly name: string
  /** `os/arch[/variant]`. */
  readonly platform?: string | undefined
  readonly verifyTls?: boolean
  readonly onProgress?: (event: PullProgress) => void
  readonly signal?: AbortSignal | undefined
}

/** The store of the engine's data root, with what killed processes left removed. */
export function imagesOf({ dataRoot }: Pick<Engine, 'dataRoot'>): ImageStore {
  const store = openImageStore(dataRoot)
  store.sweep()
  return store
}

/** Pulls an image by its name. */
export async function pull(engine: Pick<Engine, 'dataRoot'>, request: PullRequest): Promise<Image> {
  const { name, platform, ...options } = request
  // HTTP costs 15 ms to load, which `run` of an image that is there must not pay.
  const { pullImage } = await import('../images/pull.ts')
  return await pullImage(imagesOf(engine), parseReference(name), {
    ...options,
    platform: platformOf(platform),
  })
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
  return await imagesOf(engine).remove(text, { force, usedBy })
}

/** The tar of the images, each under the name it is given by, or under all its names when given by id. */
export function saveImages(
  engine: Pick<Engine, 'dataRoot'>,
  texts: readonly string[],
  platform: string | undefined,
): AsyncGenerator<Buffer> {
  const store = imagesOf(engine)
  const images = texts.map((text) => {
    const image = store.resolve(text, platformOf(platform))
    const named = image.names.filter((name) => name === store.wholeName(text))
    return { image, names: named.length > 0 ? named : image.names }
  })
  return exportArchive(store, images)
}

export interface LoadRequest {
  readonly path: string | undefined
  readonly platform: string | undefined
  readonly onProgress?: (event: ImportProgress) => void
}

/** Loads every image of an archive: the file at `path`, or standard input. */
export async function loadImages(
  engine: Pick<Engine, 'dataRoot'>,
  { path, platform, onProgress }: LoadRequest,
): Promise<readonly Image[]> {
  const { importArchive } = await import('../images/import-archive.ts')
  const source =
    path === undefined ? process.stdin : createReadStream(path, { highWaterMark: 256 * 1024 })
  try {
    return await importArchive(imagesOf(engine), source as AsyncIterable<Buffer>, {
      platform: platformOf(platform),
      ...(onProgress === undefined ? {} : { onProgress }),
    })
  } catch (cause) {
    const what = path ?? 'standard input'
    const kind = cause instanceof TsrunError ? cause.kind : 'internal'
    throw new TsrunError(kind, `cannot load "${what}"`, { cause })
  }
}
