/** The state of the OCI runtime below the engine: none that outlived its container. */
import { join } from 'node:path'
import { describeError } from '../../errors.ts'
import { deleteContainer } from '../../runtime/delete.ts'
import type { ContainerRecord } from '../../state/container-record.ts'
import { listContainerIds, readContainerRecord } from '../../state/state-directory.ts'
import { shortId } from '../container-record.ts'
import type { Engine } from '../engine.ts'
import { type Finding, REPAIR_REMEDY } from './finding.ts'

export async function* checkRuntimeState(engine: Engine): AsyncGenerator<Finding> {
  for (const id of listContainerIds(engine.stateRoot)) {
    let record: ContainerRecord | undefined
    try {
      record = readContainerRecord(engine.stateRoot, id)
    } catch (error) {
      yield unreadable(engine, id, describeError(error))
      continue
    }
    // One state root may serve several data roots: a container of another is none of ours. Half made ones
    // have a container in the data root until they are gone.
    if (record === undefined || record.bundle !== engine.containers.directory(id)) continue
    if (engine.containers.ids().includes(id)) continue
    yield {
      kind: 'state',
      object: shortId(id),
      problem: 'the runtime knows a container that is not in the store any more',
      remedy: REPAIR_REMEDY,
      repair: async () => {
        await deleteContainer(engine.stateRoot, id, true)
        return 'ended what still ran of it and removed its state'
      },
    }
  }
}

function unreadable({ stateRoot }: Engine, id: string, problem: string): Finding {
  return {
    kind: 'state',
    object: shortId(id),
    problem,
    remedy: `look at ${join(stateRoot, id)}; tsrun rm -f ${shortId(id)} removes a container of this store`,
  }
}
