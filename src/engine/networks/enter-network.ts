/** The network of a container that is about to start: its own, in networks of the engine, or somebody else's. */
import { TsrunError } from '../../errors.ts'
import { parseUserMode } from '../../network/user-mode/user-mode-program.ts'
import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import type { CreateOptions } from '../../runtime/create.ts'
import type { ContainerRecord } from '../container-record.ts'
import { statusOf } from '../container-status.ts'
import type { Engine } from '../engine.ts'
import { enterCni } from './cni.ts'
import { joinNetworks } from './join-networks.ts'
import { copyNetworkFiles } from './network-files.ts'
import { enterUserMode } from './user-mode.ts'

/** What a create needs so that the container is where its record says. */
export async function enterNetwork(
  engine: Engine,
  record: ContainerRecord,
  config: RuntimeConfig,
): Promise<Pick<CreateOptions, 'setUpNetwork'> & { readonly config: RuntimeConfig }> {
  const [kind = '', ...rest] = record.networkMode.split(':')
  const value = rest.join(':')
  if (record.networks === undefined && kind === 'ns')
    return { config: withNamespace(config, value) }
  if (record.networks === undefined && kind === 'container')
    return { config: withNamespace(config, namespaceOf(engine, record, value)) }
  if (record.networks === undefined && parseUserMode(record.networkMode) !== undefined)
    return { config, setUpNetwork: await enterUserMode(engine, record) }
  if (record.networks === undefined && kind === 'cni')
    return { config, setUpNetwork: enterCni(engine, record, value) }
  const { attach } = await joinNetworks(engine, record)
  return { config, setUpNetwork: attach }
}

/** The namespace of a running container, whose files about names this one gets too. */
function namespaceOf(engine: Engine, record: ContainerRecord, reference: string): string {
  const { containers } = engine
  const id = containers.find(reference)
  const other = containers.read(id)
  const pid = other === undefined ? 0 : statusOf(other, containers.directory(id)).pid
  if (other === undefined || pid === 0)
    throw new TsrunError(
      'failed-precondition',
      `cannot use the network of container "${reference}": it does not run`,
      { hint: `start it first: tsrun start ${reference}` },
    )
  if (other.networkMode === 'host') return '/proc/self/ns/net'
  copyNetworkFiles(engine, other, record)
  return `/proc/${pid}/ns/net`
}

function withNamespace(config: RuntimeConfig, path: string): RuntimeConfig {
  const namespaces = config.linux?.namespaces ?? []
  return {
    ...config,
    linux: {
      ...config.linux,
      namespaces: namespaces.map((one) => (one.type === 'network' ? { ...one, path } : one)),
    },
  }
}
