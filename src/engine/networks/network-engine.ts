/** The networks of one engine: their records, and the driver of each. */
import { createHash } from 'node:crypto'
import { BridgeDriver } from '../../network/bridge-driver.ts'
import { Firewall } from '../../network/firewall.ts'
import { MacvlanDriver } from '../../network/macvlan-driver.ts'
import type { NetworkDriver } from '../../network/network-driver.ts'
import type { NetworkRecord } from '../../network/network-record.ts'
import { NetworkStore } from '../../network/network-store.ts'
import { DEFAULT_DATA_ROOT } from '../default-roots.ts'
import type { Engine } from '../engine.ts'

export interface NetworkEngine {
  readonly store: NetworkStore
  /** Of engines with another data root the names on the host are others, too. */
  readonly suffix: string
  driverOf(network: NetworkRecord): NetworkDriver
}

export function networksOf(engine: Pick<Engine, 'dataRoot'>): NetworkEngine {
  const store = new NetworkStore(engine.dataRoot)
  const suffix = suffixOf(engine.dataRoot)
  const bridge = new BridgeDriver(new Firewall(suffix === '' ? 'tsrun' : `tsrun-${suffix}`), () =>
    store.all().map((network) => ({ network, leases: store.leases(network.name).leases })),
  )
  return {
    store,
    suffix,
    driverOf: ({ driver }) => (driver === 'bridge' ? bridge : new MacvlanDriver()),
  }
}

function suffixOf(dataRoot: string): string {
  if (dataRoot === DEFAULT_DATA_ROOT) return ''
  return createHash('sha256').update(dataRoot).digest('hex').slice(0, 8)
}
