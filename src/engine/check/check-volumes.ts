/** Volumes: each has its record and its files, and only containers that are there as users. */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describeError } from '../../errors.ts'
import { namesIn } from '../../util/if-there.ts'
import { shortId } from '../container-record.ts'
import type { Engine } from '../engine.ts'
import { type Finding, REPAIR_REMEDY } from './finding.ts'

export function* checkVolumes({ volumes, containers }: Engine): Generator<Finding> {
  for (const name of volumes.names()) {
    const damage = damageOf(() => volumes.read(name))
    if (damage !== undefined) {
      yield {
        kind: 'volume',
        object: name,
        problem: damage,
        remedy: `its files are in ${volumes.dataFolder(name)}: copy them into a new volume`,
      }
      continue
    }
    if (!existsSync(volumes.dataFolder(name))) {
      yield {
        kind: 'volume',
        object: name,
        problem: 'the folder of its files is gone',
        remedy: REPAIR_REMEDY,
        repair: async () => {
          mkdirSync(volumes.dataFolder(name), { mode: 0o755 })
          return 'made an empty one'
        },
      }
    }
    for (const id of namesIn(join(volumes.folder(name), 'users'))) {
      if (existsSync(containers.directory(id))) continue
      yield {
        kind: 'volume',
        object: name,
        problem: `container ${shortId(id)}, which uses it, is gone`,
        remedy: REPAIR_REMEDY,
        repair: async () => {
          volumes.removeUser(name, id)
          return 'forgot that container'
        },
      }
    }
  }
}

function damageOf(read: () => unknown): string | undefined {
  try {
    return read() === undefined ? 'it has no volume.json' : undefined
  } catch (error) {
    return describeError(error)
  }
}
