/** The volumes of a container in the making; the code for them is loaded by those that have some. */

import type { Engine } from './engine.ts'
import type { AttachedVolumes, AttachInput } from './volumes/attach-volumes.ts'
import { needsVolumes } from './volumes/plan-volumes.ts'

const NONE: AttachedVolumes = { mounts: [], records: [] }

/** Prepares what the request and the image ask for beside plain mounts. */
export async function volumesOf(engine: Engine, input: AttachInput): Promise<AttachedVolumes> {
  if (!needsVolumes(input.request, input.image, input.workingDirectory)) return NONE
  const { attachVolumes } = await import('./volumes/attach-volumes.ts')
  return await attachVolumes(engine, input)
}
