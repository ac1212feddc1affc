/** `export`: a container's files as one tar, without its volumes. */
import { constants, openSync } from 'node:fs'
import { writeTar } from '../../archive/tar-writer.ts'
import { TsrunError } from '../../errors.ts'
import { openOverlayView } from '../../native/overlay-view.ts'
import { OwnedFd } from '../../native/owned-fd.ts'
import { type ContainerRecord, shortId } from '../container-record.ts'
import type { Engine } from '../engine.ts'
import { containerEvent } from '../events/event.ts'
import { recordEvent } from '../events/event-log.ts'
import { readTree } from './read-tree.ts'

/** The tar of the container's root: of its layers, not of what its processes see, which may be mounted over. */
export async function* exportContainer(
  engine: Engine,
  id: string,
  onSkipped: (path: string, reason: string) => void,
): AsyncGenerator<Buffer> {
  const record = engine.containers.read(id)
  if (record === undefined) throw new TsrunError('not-found', `no such container: ${shortId(id)}`)
  using root = openLayers(engine, record)
  recordEvent(engine.dataRoot, containerEvent(record, 'export'))
  yield* writeTar(readTree(root, '', { onSkipped }))
}

function openLayers(engine: Engine, { id, rootfs }: ContainerRecord): OwnedFd {
  if (rootfs !== undefined)
    return new OwnedFd(openSync(rootfs, constants.O_RDONLY | constants.O_DIRECTORY))
  const snapshotter = engine.snapshotter()
  const below = snapshotter.foldersBelow(id)
  return openOverlayView([snapshotter.writableFolder(id), ...below])
}
