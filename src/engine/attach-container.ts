/** Connects to a running container's streams after its start. */
import { TsrunError } from '../errors.ts'
import { type AttachClient, attachToMonitor } from '../monitor/attach-client.ts'
import type { Engine } from './engine.ts'

/** The container waits while the caller does not read. Throws `failed-precondition` when it does not run. */
export async function attachContainer(
  engine: Engine,
  id: string,
  onOutput: (stream: 'stdout' | 'stderr', bytes: Buffer) => void,
): Promise<AttachClient> {
  const directory = engine.containers.directory(id)
  const client = await attachToMonitor(directory, {
    output: true,
    patient: true,
    owner: false,
    onOutput,
  })
  if (client !== undefined) return client
  const name = engine.containers.read(id)?.name ?? id
  throw new TsrunError(
    'failed-precondition',
    `cannot attach to container "${name}": it is not running`,
  )
}
