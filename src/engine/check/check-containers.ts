/** Containers: whole, with a record that is true, a monitor while they run, and all their layers. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describeError } from '../../errors.ts'
import { readTextIfThere } from '../../util/if-there.ts'
import { type ContainerRecord, shortId } from '../container-record.ts'
import { statusOf } from '../container-status.ts'
import type { Engine } from '../engine.ts'
import { cleanUpContainer, removeContainer } from '../remove-container.ts'
import { type Finding, FORCED_REMEDY, REPAIR_REMEDY } from './finding.ts'

export async function* checkContainers(engine: Engine): AsyncGenerator<Finding> {
  for (const id of engine.containers.unfinished()) yield* checkUnfinished(engine, id)
  for (const id of engine.containers.ids()) {
    if (!engine.containers.isUnfinished(id)) yield* checkContainer(engine, id)
  }
}

function* checkUnfinished(engine: Engine, id: string): Generator<Finding> {
  const mark = engine.containers.tryTakeOver(id)
  // Held: somebody is making it.
  if (mark === undefined) return
  mark.close()
  yield {
    kind: 'container',
    object: nameOf(engine, id),
    problem: 'whoever made or removed it was killed half way',
    remedy: `${REPAIR_REMEDY}; any other command of tsrun removes it too`,
    repair: async () => {
      await cleanUpContainer(engine, id)
      return 'removed what there was of it'
    },
  }
}

function* checkContainer(engine: Engine, id: string): Generator<Finding> {
  let record: ContainerRecord | undefined
  try {
    record = engine.containers.read(id)
  } catch (error) {
    yield unreadable(id, describeError(error))
    return
  }
  if (record === undefined) {
    // Gone while we looked is no damage.
    if (existsSync(engine.containers.directory(id))) yield withoutRecord(engine, id)
    return
  }
  yield* checkEnd(engine, record)
  yield* checkFiles(engine, record)
}

function unreadable(id: string, problem: string): Finding {
  return {
    kind: 'container',
    object: shortId(id),
    problem,
    remedy: 'use the tsrun that made it',
  }
}

function withoutRecord(engine: Engine, id: string): Finding {
  return {
    kind: 'container',
    object: shortId(id),
    problem: 'its record container.json is missing or torn',
    remedy: `tsrun rm ${shortId(id)}, or ${FORCED_REMEDY}`,
    loses: 'what was written in the container',
    repair: async () => {
      await removeContainer(engine, id, { force: true })
      return 'removed it'
    },
  }
}

function* checkEnd(engine: Engine, record: ContainerRecord): Generator<Finding> {
  const { id, name } = record
  const directory = engine.containers.directory(id)
  const { needsCleanup, pid } = statusOf(record, directory)
  if (needsCleanup) {
    // A lock that is held is the clean-up under way.
    const lock = engine.containers.tryLock(id)
    lock?.close()
    if (lock === undefined) return
    yield {
      kind: 'container',
      object: name,
      problem: 'it does not run, but whoever was to clean up after it was killed',
      remedy: `${REPAIR_REMEDY}, or tsrun rm ${name}`,
      repair: async () => {
        await cleanUpContainer(engine, id)
        return 'cleaned up after it'
      },
    }
  }
  const { monitorPid } = record.state
  if (pid !== 0 && monitorPid !== undefined && !isMonitorOf(monitorPid, directory)) {
    yield {
      kind: 'monitor',
      object: name,
      problem:
        'its monitor was killed: what it writes is lost, and nobody will see its exit status',
      remedy: `tsrun stop ${name}, and start it anew`,
    }
  }
}

function isMonitorOf(pid: number, directory: string): boolean {
  const command = readTextIfThere(`/proc/${pid}/comm`)
  return command === 'tsrun-monitor\n' && existsSync(`/proc/${pid}/cwd/container.json`)
    ? sameFile(`/proc/${pid}/cwd/container.json`, join(directory, 'container.json'))
    : false
}

// By content, which holds the id: the paths may be written differently.
function sameFile(a: string, b: string): boolean {
  return readTextIfThere(a) === readTextIfThere(b)
}

function* checkFiles(engine: Engine, { id, name, image }: ContainerRecord): Generator<Finding> {
  const config = join(engine.containers.directory(id), 'config.json')
  if (!isJsonFile(config)) {
    yield {
      kind: 'container',
      object: name,
      problem: 'its config.json is missing or torn, so it cannot be started again',
      remedy: `tsrun cp out what you need, tsrun rm ${name}, and create it anew`,
    }
  }
  if (image === undefined) return
  const missing = missingLayerOf(engine, id)
  if (missing === undefined) return
  yield {
    kind: 'container',
    object: name,
    problem: missing,
    remedy: `tsrun pull ${image.reference}`,
  }
}

/** Why the root of a container cannot be mounted again. */
function missingLayerOf(engine: Engine, id: string): string | undefined {
  try {
    engine.snapshotter().mounts(id)
    return undefined
  } catch (error) {
    return `its root cannot be mounted again: ${describeError(error)}`
  }
}

function isJsonFile(path: string): boolean {
  try {
    JSON.parse(readFileSync(path, 'utf8'))
    return true
  } catch {
    // Missing or torn is all that is asked, ignoring which.
    return false
  }
}

function nameOf(engine: Engine, id: string): string {
  try {
    return engine.containers.read(id)?.name ?? shortId(id)
  } catch {
    // A record of a newer tsrun, ignoring: the id names it as well.
    return shortId(id)
  }
}
