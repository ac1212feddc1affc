/** Containers in networks of CNI plugins. What they were added to is kept in their folders until it is taken back. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { TsrunError } from '../../errors.ts'
import {
  addToNetwork,
  type CniAttachment,
  checkPorts,
  removeFromNetwork,
} from '../../network/cni/cni-network.ts'
import { findConfiguration } from '../../network/cni/network-configuration.ts'
import { findPlugin } from '../../network/cni/run-plugin.ts'
import { choosePorts } from '../../network/port-publish.ts'
import type { NewNetwork } from '../../runtime/create.ts'
import { readJsonFile, writeJsonFile } from '../../util/json-file.ts'
import type { ContainerRecord } from '../container-record.ts'
import type { Engine } from '../engine.ts'
import { holdersOf } from './join-networks.ts'
import { networksOf } from './network-engine.ts'
import { writeCniFiles } from './network-files.ts'
import { leaseHolders, writeUserLease } from './user-ports.ts'
import { wantedPorts } from './wanted-ports.ts'

const FILE = 'cni.json'
const CONFIGURATIONS = '/etc/cni/net.d'
/** Of plugins that were installed by hand, by Debian, by others. */
const PLUGINS = '/opt/cni/bin:/usr/lib/cni:/usr/libexec/cni'

/** cni.json. */
interface SavedCni {
  readonly version: 1
  readonly attachment: CniAttachment
  /** The result of the last plugin; absent while they run. */
  readonly raw?: Readonly<Record<string, unknown>>
  /** A plugin could not take back what it has made, and the user was told. */
  readonly isGivenUp?: true
}

/** Finds the configuration; the result adds the container. NETCONFPATH and CNI_PATH name other folders, as for cnitool. */
export function enterCni(
  engine: Engine,
  record: ContainerRecord,
  name: string,
): (inside: NewNetwork) => Promise<void> {
  const { NETCONFPATH = CONFIGURATIONS, CNI_PATH = PLUGINS } = process.env
  const network = findConfiguration(NETCONFPATH, name)
  const folders = CNI_PATH.split(':').filter((folder) => folder.startsWith('/'))
  for (const { type } of network.plugins) findPlugin({ type, folders })
  const path = join(engine.containers.directory(record.id), FILE)
  return async ({ namespace }) => {
    const wanted = wantedPorts(record)
    const networks = networksOf(engine)
    // Nobody else chooses a port before it leads to this container.
    using _lock = wanted.length === 0 ? undefined : await networks.store.lock()
    const holders = [...leaseHolders(engine, record.id), ...holdersOf(networks)]
    const ports = wanted.length === 0 ? [] : choosePorts(wanted, holders)
    const attachment: CniAttachment = { containerId: record.id, folders, network, ports }
    checkPorts(attachment)
    save(path, { version: 1, attachment })
    try {
      const result = await addToNetwork(attachment, `/proc/${process.pid}/fd/${namespace}`)
      save(path, {
        version: 1,
        attachment,
        ...(result.raw === undefined ? {} : { raw: result.raw }),
      })
      const directory = engine.containers.directory(record.id)
      writeUserLease(directory, record, { ports, address: result.addresses[0] })
      writeCniFiles(directory, record, result)
    } catch (cause) {
      throw failed('put the container into', name, cause)
    }
  }
}

/**
 * Takes the container out again; one that is in no such network is left alone. What a plugin cannot take back is
 * said once: a container that nobody can remove would be in the way of every command.
 */
export async function leaveCni(
  engine: Engine,
  { id, networkMode }: ContainerRecord,
): Promise<void> {
  const path = join(engine.containers.directory(id), FILE)
  const saved = readJsonFile(path)
  if (!isSaved(saved)) return
  try {
    await removeFromNetwork(saved.attachment, saved.raw)
  } catch (cause) {
    if (saved.isGivenUp !== true) {
      save(path, { ...saved, isGivenUp: true })
      throw failed('take the container out of', networkMode.slice('cni:'.length), cause)
    }
  }
  rmSync(path, { force: true })
}

function save(path: string, saved: SavedCni): void {
  writeJsonFile(path, saved, { durable: false })
}

function isSaved(value: unknown): value is SavedCni {
  return typeof value === 'object' && value !== null && Reflect.get(value, 'version') === 1
}

function failed(what: string, name: string, cause: unknown): TsrunError {
  return new TsrunError('failed-precondition', `cannot ${what} the CNI network "${name}"`, {
    cause,
  })
}
