/** Images: the index can be read, and of each image all documents and the blobs of its layers are here. */

import type { NamedImage } from '../../content/image-names.ts'
import { describeError } from '../../errors.ts'
import type { ImageStore } from '../../images/image-store.ts'
import { problemOfImage } from '../../images/problem-of-image.ts'
import { familiarReference, parseReference } from '../../oci/reference.ts'
import { type Finding, REPAIR_REMEDY } from './finding.ts'

export async function* checkImages(store: ImageStore): AsyncGenerator<Finding> {
  let images: readonly NamedImage[]
  try {
    images = store.names.list()
  } catch (error) {
    yield damagedIndex(store, error)
    return
  }
  for (const { name, target } of images) {
    const problem = problemOfImage(store, target)
    if (problem === undefined) continue
    const shown = name === undefined ? target.digest : familiarReference(parseReference(name))
    yield {
      kind: 'image',
      object: shown,
      problem: problem.text,
      remedy: name === undefined ? `tsrun rmi ${target.digest}` : `tsrun pull ${shown}`,
      // Without a layer's blob it still runs; without its documents not even a list shows it.
      ...(problem.isUnusable
        ? {
            repair: async () => {
              await store.names.removeTargets([target.digest])
              return 'took it out of the index: pull it again'
            },
          }
        : {}),
    }
  }
}

function damagedIndex(store: ImageStore, error: unknown): Finding {
  return {
    kind: 'index',
    object: 'index.json',
    problem: describeError(error),
    remedy: REPAIR_REMEDY,
    repair: async () => {
      const count = await store.rebuildIndex()
      return `made it anew from ${count} images that are here, which have lost their names: tsrun tag gives new ones`
    },
  }
}
