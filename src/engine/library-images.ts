/** Images for Node programs: pull and push with progress and an AbortSignal, on the same store as the command. */
import { parseReference } from '../oci/reference.ts'
import { DEFAULT_DATA_ROOT } from './default-roots.ts'
import { type PullProgress, type PullRequest, pull as pullByName } from './pull-image.ts'
import { type PushProgress, type PushRequest, push as pushByName } from './push-image.ts'

export type { PullProgress, PushProgress }

export interface ImagePullOptions
  extends Pick<
    PullRequest,
    'platform' | 'verifyTls' | 'lockFile' | 'updateLock' | 'onProgress' | 'signal'
  > {
  /** Default /var/lib/tsrun. */
  readonly dataRoot?: string
}

export interface ImagePushOptions
  extends Pick<PushRequest, 'to' | 'platform' | 'verifyTls' | 'onProgress' | 'signal'> {
  /** Default /var/lib/tsrun. */
  readonly dataRoot?: string
}

export interface PulledImage {
  /** Digest of the configuration, as `docker images` shows it. */
  readonly id: string
  /** Of the manifest or index that the name leads to. */
  readonly digest: string
  readonly names: readonly string[]
}

/** Pulls an image. What an aborted or killed pull has fetched is used by the next one. */
export async function pullImage(
  name: string,
  options: ImagePullOptions = {},
): Promise<PulledImage> {
  const { dataRoot = DEFAULT_DATA_ROOT, ...request } = options
  parseReference(name)
  const { id, target, names } = await pullByName({ dataRoot }, { ...request, name })
  return { id, digest: target.digest, names }
}

/** Pushes a local image, by its own name or to another one; resolves to the digest that the tag leads to. */
export async function pushImage(
  name: string,
  options: ImagePushOptions = {},
): Promise<{ readonly digest: string }> {
  const { dataRoot = DEFAULT_DATA_ROOT, ...request } = options
  const [pushed] = await pushByName({ dataRoot }, { ...request, image: name })
  if (pushed === undefined) throw new RangeError('a push without a result')
  return { digest: pushed.descriptor.digest }
}
