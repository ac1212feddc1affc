/** The network that a container starts in. */
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import type { CreateOptions } from '../runtime/create.ts'
import type { ContainerRecord } from './container-record.ts'
import type { Engine } from './engine.ts'

/** Most of a start is not about networks: what is for them is loaded when the container is in one. */
export async function startNetwork(
  engine: Engine,
  record: ContainerRecord,
  config: RuntimeConfig,
): Promise<Pick<CreateOptions, 'setUpNetwork'> & { readonly config: RuntimeConfig }> {
  if (record.networkMode === 'none' || record.networkMode === 'host') return { config }
  const { enterNetwork } = await import('./networks/enter-network.ts')
  return await enterNetwork(engine, record, config)
}
