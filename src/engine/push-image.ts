/** Pushes images by the names that users type. */
import { TsrunError } from '../errors.ts'
import type { PushOptions, PushProgress, PushResult } from '../images/push.ts'
import { familiarReference, parseReference } from '../oci/reference.ts'
import type { Engine } from './engine.ts'
import { imagesOf, platformOf, recordImage } from './images.ts'

export type { PushProgress, PushResult }

export interface PushRequest
  extends Pick<PushOptions, 'verifyTls' | 'onProgress' | 'signal' | 'retry' | 'credentials'> {
  /** Name or id of a local image; a repository with {@link allTags}. */
  readonly image: string
  /** Where to, when not to its own name. */
  readonly to?: string | undefined
  readonly allTags?: boolean
  /** Only the image for it, as `os/arch[/variant]`. */
  readonly platform?: string | undefined
}

/** Pushes one image, or all tags of a repository. */
export async function push(
  engine: Pick<Engine, 'dataRoot'>,
  request: PushRequest,
): Promise<readonly PushResult[]> {
  const { image, to, allTags = false, platform, ...options } = request
  const { namesOfRepository, pushImage } = await import('../images/push.ts')
  const store = imagesOf(engine)
  if (allTags && (to !== undefined || hasTag(image)))
    throw refused(image, '--all-tags takes a repository without a tag')
  const names = allTags ? namesOfRepository(store, image) : [image]
  if (names.length === 0)
    throw new TsrunError('not-found', `cannot push "${image}": none of its tags is here`)
  const results: PushResult[] = []
  for (const name of names) {
    const found = store.resolve(name, platformOf(platform))
    const reference = parseReference(to ?? store.wholeName(name) ?? (found.names[0] || name))
    if (reference.digest !== undefined)
      throw refused(to ?? name, 'a digest follows from the content and cannot be chosen')
    const onlyManifest = platform !== undefined
    results.push(await pushImage(store, found, reference, { ...options, onlyManifest }))
    const pushed = familiarReference(reference)
    recordImage(engine, 'push', pushed, pushed.replace(/:[^:/]*$/, ''))
  }
  return results
}

// A colon behind the last slash; before it, it belongs to the registry's port.
function hasTag(name: string): boolean {
  return name.includes('@') || name.lastIndexOf(':') > name.lastIndexOf('/')
}

function refused(name: string, problem: string): TsrunError {
  return new TsrunError('invalid-argument', `cannot push "${name}": ${problem}`)
}
