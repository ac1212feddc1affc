/** Pulls images by the names that users type: short names, all tags, names that a lock file pins. */
import { describeError, TsrunError } from '../errors.ts'
import type { Image, ImageStore } from '../images/image-store.ts'
import type { PullOptions, PullProgress } from '../images/pull.ts'
import {
  familiarReference,
  formatReference,
  type ImageReference,
  parseReference,
} from '../oci/reference.ts'
import type { Engine } from './engine.ts'
import { imagesOf, platformOf, recordImage } from './images.ts'

export type { PullProgress }

export interface PullRequest
  extends Pick<PullOptions, 'verifyTls' | 'onProgress' | 'signal' | 'retry' | 'credentials'> {
  readonly name: string
  /** `os/arch[/variant]`. */
  readonly platform?: string | undefined
  /** A file of pins: what it names is pulled by its digest, what it does not name is added. */
  readonly lockFile?: string | undefined
  /** Asks the registry what the tag means now, and pins that. */
  readonly updateLock?: boolean
}

/** Pulls an image by its name. */
export async function pull(engine: Pick<Engine, 'dataRoot'>, request: PullRequest): Promise<Image> {
  const store = imagesOf(engine)
  // HTTP costs 15 ms to load, which `run` of an image that is there must not pay.
  const { candidateReferences } = await import('../registry/find-endpoints.ts')
  const candidates = await candidateReferences(request.name)
  const failures: TsrunError[] = []
  for (const reference of candidates) {
    try {
      return await pullOne(engine, store, reference, request)
    } catch (error) {
      request.signal?.throwIfAborted()
      if (!(error instanceof TsrunError) || candidates.length === 1) throw error
      failures.push(error)
    }
  }
  throw new TsrunError(
    failures.at(-1)?.kind ?? 'not-found',
    `cannot pull "${request.name}" from any registry of unqualified-search-registries: ${failures.map(describeError).join('; ')}`,
  )
}

/** Pulls every tag that the repository has. */
export async function pullAllTags(
  engine: Pick<Engine, 'dataRoot'>,
  request: PullRequest,
): Promise<readonly Image[]> {
  const { name, ...options } = request
  if (name.includes('@') || name.lastIndexOf(':') > name.lastIndexOf('/'))
    throw new TsrunError(
      'invalid-argument',
      `cannot pull "${name}": --all-tags takes a repository without a tag`,
    )
  const { endpointsToPull } = await import('../registry/find-endpoints.ts')
  const { MirroredClient } = await import('../registry/mirrored-client.ts')
  const { domain, path } = parseReference(name)
  const endpoints = await endpointsToPull({ domain, path }, options)
  using client = new MirroredClient(endpoints, options)
  const tags = await client.listTags(options.signal)
  if (tags.length === 0)
    throw new TsrunError('not-found', `cannot pull "${name}": its repository has no tags`)
  const store = imagesOf(engine)
  const images: Image[] = []
  for (const tag of tags) images.push(await pullOne(engine, store, { domain, path, tag }, request))
  return images
}

/** The names of a lock file that are pinned for the platform. */
export async function lockedNames(
  path: string,
  platform: string | undefined,
): Promise<readonly string[]> {
  const { pinOf, readLockFile } = await import('../images/lock-file.ts')
  const { hostPlatform } = await import('../oci/platform.ts')
  const wanted = platformOf(platform) ?? hostPlatform(process.arch)
  const pins = readLockFile(path)
  return [...pins.keys()].filter((name) => pinOf(pins, name, wanted) !== undefined)
}

async function pullOne(
  engine: Pick<Engine, 'dataRoot'>,
  store: ImageStore,
  reference: ImageReference,
  request: PullRequest,
): Promise<Image> {
  const { name: _, platform: text, lockFile, updateLock, ...options } = request
  const { pullImage } = await import('../images/pull.ts')
  const platform = platformOf(text)
  if (lockFile === undefined)
    return recordPulled(
      engine,
      reference,
      await pullImage(store, reference, { ...options, platform }),
    )
  const { pinOf, readLockFile, writePin } = await import('../images/lock-file.ts')
  const wanted = platform ?? store.hostPlatform
  const name = formatReference(reference)
  const pinned = updateLock === true ? undefined : pinOf(readLockFile(lockFile), name, wanted)
  const image = await pullImage(store, reference, { ...options, platform, pinned })
  writePin(lockFile, name, wanted, image.manifestDescriptor.digest)
  return recordPulled(engine, reference, image)
}

// docker's id of it is the name with the tag, its name that without.
function recordPulled(
  engine: Pick<Engine, 'dataRoot'>,
  reference: ImageReference,
  image: Image,
): Image {
  const { domain, path } = reference
  const name = familiarReference({ domain, path })
  recordImage(engine, 'pull', familiarReference(reference), name)
  return image
}
