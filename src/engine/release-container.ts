/** Gives back to the kernel what a container holds: its root's mount, its cgroup, its runtime state. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { deleteContainer } from '../runtime/delete.ts'
import { readContainerRecord } from '../state/state-directory.ts'
import type { Engine } from './engine.ts'
import { unmountRoot } from './root-filesystem.ts'

export interface Released {
  /** The kernel killed a process of the container for want of memory. */
  readonly oomKilled: boolean
}

/** Kills what still runs. Doing it again is no error. */
export async function releaseContainer(engine: Engine, id: string): Promise<Released> {
  const oomKilled = wasOomKilled(engine, id)
  await deleteContainer(engine.stateRoot, id, true)
  unmountRoot(engine, id)
  return { oomKilled }
}

function wasOomKilled(engine: Engine, id: string): boolean {
  try {
    const cgroup = readContainerRecord(engine.stateRoot, id)?.cgroup
    if (cgroup === undefined) return false
    const events = readFileSync(join(cgroup, 'memory.events'), 'latin1')
    return Number(/^oom_kill (\d+)$/m.exec(events)?.[1] ?? 0) > 0
  } catch (error) {
    // No state any more, or a cgroup without the memory controller: nothing was counted.
    if (error instanceof TsrunError && error.kind === 'not-found') return false
    if (errnoCodeOf(error) === 'ENOENT') return false
    throw error
  }
}
