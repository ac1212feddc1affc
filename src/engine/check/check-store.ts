/**
 * `system check`: holds the store against itself and against the kernel. The table of contents: the things in the
 * order in which one's repair may answer for the next's.
 */
import { openImageStore } from '../../images/open-image-store.ts'
import type { Engine } from '../engine.ts'
import { checkBlobs } from './check-blobs.ts'
import { checkContainers } from './check-containers.ts'
import { checkImages } from './check-images.ts'
import { checkKernelLeftovers } from './check-kernel-leftovers.ts'
import { checkNames } from './check-names.ts'
import { checkRuntimeState } from './check-runtime-state.ts'
import { checkSnapshots } from './check-snapshots.ts'
import { checkVolumes } from './check-volumes.ts'
import type { Finding } from './finding.ts'

export interface CheckOptions {
  /** Only what costs no time: the blobs are not read. */
  readonly quick: boolean
}

/** Everything that is wrong, one after the other: what is repaired at once is not found again further down. */
export async function* checkStore(
  engine: Engine,
  { quick }: CheckOptions,
): AsyncGenerator<Finding> {
  // Without the sweep of a command: what it would remove is what this one has to tell.
  const images = openImageStore(engine.dataRoot)
  yield* checkContainers(engine)
  yield* checkNames(engine)
  yield* checkRuntimeState(engine)
  yield* checkKernelLeftovers(engine)
  yield* checkSnapshots(engine, images)
  yield* checkVolumes(engine)
  yield* checkImages(images)
  yield* checkBlobs(images, quick)
}
