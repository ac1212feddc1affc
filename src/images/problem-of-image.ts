/** What is wrong with an image in the store: what `system check` asks of each. */
import { describeError } from '../errors.ts'
import type { Descriptor } from '../oci/image.ts'
import { blobsOf, type ImageSource, readImage } from './read-image.ts'

export interface ImageProblem {
  readonly text: string
  /** Its documents cannot be read: nothing can be done with it. */
  readonly isUnusable: boolean
}

/** The first problem of the image behind `target`; undefined when it is whole. Layers are not read. */
export function problemOfImage(source: ImageSource, target: Descriptor): ImageProblem | undefined {
  try {
    readImage(source, target, [])
    const { blobs } = blobsOf(source, target)
    const missing = blobs.find((digest) => !source.content.has(digest))
    if (missing === undefined) return undefined
    return {
      text: `its blob ${missing} is missing: it cannot be saved or pushed`,
      isUnusable: false,
    }
  } catch (error) {
    return { text: `its documents cannot be read: ${describeError(error)}`, isUnusable: true }
  }
}
