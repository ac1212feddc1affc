/** Names of containers: each leads to its container, and each container has its own. */
import type { ContainerRecord } from '../container-record.ts'
import { shortId } from '../container-record.ts'
import type { Engine } from '../engine.ts'
import { type Finding, REPAIR_REMEDY } from './finding.ts'

export async function* checkNames(engine: Engine): AsyncGenerator<Finding> {
  const { containers } = engine
  for (const { name, id } of containers.names()) {
    if (id !== undefined && isNamed(engine, id, name)) continue
    yield {
      kind: 'name',
      object: name,
      problem:
        id === undefined ? 'it leads nowhere' : `it leads to ${shortId(id)}, which has another`,
      remedy: REPAIR_REMEDY,
      repair: async () => {
        containers.removeName(name)
        return 'took the name away, it is free now'
      },
    }
  }
  const taken = new Map(containers.names().map(({ name, id }) => [name, id]))
  for (const record of settled(engine)) {
    if (taken.get(record.name) !== record.id) yield nameless(engine, record)
  }
}

// A container that is being made, renamed or removed is somebody's at this moment.
function isNamed(engine: Engine, id: string, name: string): boolean {
  const { containers } = engine
  if (containers.isUnfinished(id)) return true
  const lock = containers.tryLock(id)
  if (lock === undefined) return containers.ids().includes(id)
  try {
    const record = containers.read(id)
    // Without a record nobody knows what it was called: that is told of the container.
    return record === undefined || record.name === name
  } finally {
    lock.close()
  }
}

function settled({ containers }: Engine): ContainerRecord[] {
  return containers.ids().flatMap((id) => {
    if (containers.isUnfinished(id)) return []
    const lock = containers.tryLock(id)
    if (lock === undefined) return []
    lock.close()
    return containers.read(id) ?? []
  })
}

function nameless({ containers }: Engine, record: ContainerRecord): Finding {
  return {
    kind: 'name',
    object: shortId(record.id),
    problem: `its name "${record.name}" does not lead to it`,
    remedy: REPAIR_REMEDY,
    repair: async () => {
      const isFree = !containers.names().some(({ name }) => name === record.name)
      const named = containers.claimName(record, isFree ? record.name : undefined)
      return `named it "${named.name}"`
    },
  }
}
