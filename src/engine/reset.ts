/** `system reset`: everything that tsrun keeps goes. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { TsrunError } from '../errors.ts'
import { parseMountinfo } from '../linux/parse-mountinfo.ts'
import { namesIn } from '../util/if-there.ts'
import { removeTree } from '../util/remove-tree.ts'
import type { Engine } from './engine.ts'
import { imagesOf } from './images.ts'
import { networksOf } from './networks/network-engine.ts'
import { removeNetwork } from './networks/remove-network.ts'
import { removeContainer, removeUnfinished } from './remove-container.ts'

/** What is in the data root; anything else there is somebody else's. */
const FOLDERS = [
  'containers',
  'names',
  'unfinished',
  'snapshots',
  'images',
  'volumes',
  'volume-drafts',
  'networks',
  'secrets',
] as const

/** Ends and removes all containers, then removes all networks, images, volumes and layers. */
export async function resetStore(engine: Engine): Promise<void> {
  await removeUnfinished(engine)
  for (const id of engine.containers.ids()) {
    await removeContainer(engine, id, { force: true }).catch((error: unknown) => {
      // Its monitor was faster.
      if (!(error instanceof TsrunError && error.kind === 'not-found')) throw error
    })
  }
  for (const { name } of networksOf(engine).store.all()) await removeNetwork(engine, name)
  if (namesIn(join(engine.dataRoot, 'images')).length > 0) {
    using lock = imagesOf(engine).content.tryExclusive()
    if (lock === undefined) {
      throw new TsrunError(
        'unavailable',
        'cannot remove the images: a pull, load or save is under way',
        { hint: 'wait for its end, or end it, and call tsrun system reset again' },
      )
    }
    removeFolders(engine)
    return
  }
  removeFolders(engine)
}

function removeFolders({ dataRoot }: Engine): void {
  const mounts = parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'))
  for (const name of FOLDERS) {
    const folder = join(dataRoot, name)
    const mount = mounts.find(({ mountPoint }) => mountPoint.startsWith(`${folder}/`))
    // What is mounted there is somebody's data: it must not be emptied with the folder.
    if (mount !== undefined) {
      throw new TsrunError(
        'failed-precondition',
        `cannot remove "${folder}": something is mounted at ${mount.mountPoint}`,
        { hint: `umount ${mount.mountPoint}` },
      )
    }
    removeTree(folder)
  }
}
