/** The network of one container after the other from a warm process: an address, a veth pair, routes, files; and all of that back. */
import { closeSync, constants, mkdirSync, openSync, writeFileSync } from 'node:fs'
import type { ContainerRecord } from '../../src/engine/container-record.ts'
import { type Engine, openEngine } from '../../src/engine/engine.ts'
import { joinNetworks } from '../../src/engine/networks/join-networks.ts'
import { leaveNetworks } from '../../src/engine/networks/leave-networks.ts'
import { openRouteSocketIn } from '../../src/native/open-socket-in.ts'
import { pidfdOpen } from '../../src/native/syscalls.ts'

export interface WarmNetwork {
  /** Milliseconds. */
  readonly up: number
  down(): Promise<number>
}

/** An engine with roots below `directory`. */
export function openBenchEngine(directory: string): Engine {
  const stateRoot = `${directory}/state`
  return openEngine({ dataRoot: `${directory}/data`, stateRoot, command: [] })
}

/** Puts a network namespace into the default network as the container `id` would be. */
export async function joinBenchNetwork(
  engine: Engine,
  id: string,
  path: string,
  publish: readonly string[] = [],
): Promise<WarmNetwork> {
  const record = recordOf(engine, id, publish)
  const directory = engine.containers.directory(id)
  mkdirSync(directory, { recursive: true })
  for (const name of ['hosts', 'resolv.conf']) writeFileSync(`${directory}/${name}`, '')
  const namespace = openSync(path, constants.O_RDONLY)
  // The container's init hands it over: it costs the network nothing.
  using socket = await openRouteSocketIn(namespace)
  // There is no container: its part is ours.
  using self = pidfdOpen(process.pid)
  try {
    const begin = performance.now()
    const { attach } = await joinNetworks(engine, record)
    await attach({ namespace, socket: socket.fd, process: self?.fd ?? -1 })
    return { up: performance.now() - begin, down: () => leave(engine, record) }
  } finally {
    closeSync(namespace)
  }
}

async function leave(engine: Engine, record: ContainerRecord): Promise<number> {
  const begin = performance.now()
  await leaveNetworks(engine, record)
  return performance.now() - begin
}

function recordOf({ stateRoot }: Engine, id: string, publish: readonly string[]): ContainerRecord {
  return {
    version: 1,
    id,
    name: id,
    createdAt: new Date().toISOString(),
    entrypoint: [],
    command: [],
    terminal: false,
    openStdin: false,
    autoRemove: true,
    privileged: false,
    hostname: id,
    networkMode: 'bridge',
    networks: [{ network: 'bridge' }],
    user: '',
    labels: {},
    request: { image: '', publish },
    volumes: [],
    stopSignal: 'SIGTERM',
    stateRoot,
    owned: false,
    state: { status: 'creating', starting: true },
  }
}
