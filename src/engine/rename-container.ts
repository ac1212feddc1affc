/** `rename`: another name for a container that is there. */
import { TsrunError } from '../errors.ts'
import { shortId } from './container-record.ts'
import type { Engine } from './engine.ts'
import { containerEvent } from './events/event.ts'
import { recordEvent } from './events/event-log.ts'

/** Throws `already-exists` when another container has the name. */
export async function renameContainer(engine: Engine, id: string, text: string): Promise<void> {
  const { containers } = engine
  // docker shows names with a slash and takes them with one.
  const name = text.replace(/^\//, '')
  using lock = await containers.lock(id)
  const record = lock === undefined ? undefined : containers.read(id)
  if (record === undefined || containers.isUnfinished(id))
    throw new TsrunError('not-found', `no such container: ${shortId(id)}`)
  if (record.name === name)
    throw new TsrunError(
      'invalid-argument',
      `cannot rename container "${name}": the new name is the name it has`,
    )
  containers.rename(record, name)
  if (record.networks !== undefined) {
    const { renameInNetworks } = await import('./networks/rename-in-networks.ts')
    await renameInNetworks(engine, record, name)
  }
  const renamed = containerEvent({ ...record, name }, 'rename', { oldName: `/${record.name}` })
  recordEvent(engine.dataRoot, renamed)
}
