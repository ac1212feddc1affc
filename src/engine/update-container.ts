/** `update`: new limits and another restart policy for a container, for the run it is in and for those to come. */
import { join } from 'node:path'
import { TsrunError } from '../errors.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { updateContainer as updateLimits } from '../runtime/update.ts'
import { buildResources } from '../spec/resources.ts'
import { writeFileAtomic } from '../util/atomic-write.ts'
import { type ContainerRecord, shortId } from './container-record.ts'
import { isLive, statusOf } from './container-status.ts'
import type { Engine } from './engine.ts'
import { containerEvent } from './events/event.ts'
import { recordEvent } from './events/event-log.ts'
import { configOf } from './files/container-root.ts'
import type { RunRequest } from './run-request.ts'

export type UpdateRequest = Pick<
  RunRequest,
  | 'memory'
  | 'memoryReservation'
  | 'memorySwap'
  | 'cpus'
  | 'cpuShares'
  | 'cpuPeriod'
  | 'cpuQuota'
  | 'cpusetCpus'
  | 'cpusetMems'
  | 'pidsLimit'
  | 'blkioWeight'
  | 'restart'
>

/** Sets what `changes` has and leaves the rest as it is. The kernel is asked first: what it refuses is not kept. */
export async function updateContainer(
  engine: Engine,
  id: string,
  changes: UpdateRequest,
): Promise<void> {
  const { containers } = engine
  using lock = await containers.lock(id)
  const record = lock === undefined ? undefined : containers.read(id)
  if (record === undefined || containers.isUnfinished(id))
    throw new TsrunError('not-found', `no such container: ${shortId(id)}`)
  const given = Object.fromEntries(
    Object.entries(changes).filter(([, value]) => value !== undefined),
  )
  const request: RunRequest = { ...record.request, ...withoutRivals(record.request, given) }
  refuseContradiction(record, request)
  const { restart: _policy, ...limits } = given
  if (Object.keys(limits).length > 0) await changeLimits(engine, record, request)
  containers.write({ ...record, request })
  recordEvent(engine.dataRoot, containerEvent(record, 'update'))
}

async function changeLimits(
  engine: Engine,
  record: ContainerRecord,
  request: RunRequest,
): Promise<void> {
  const { containers } = engine
  const { id } = record
  const { devices: _same, ...resources } = buildResources(request, [])
  const directory = containers.directory(id)
  if (isLive(statusOf(record, directory))) await updateLimits(engine.stateRoot, id, resources)
  const config = configOf(engine, id)
  const changed: RuntimeConfig = {
    ...config,
    linux: { ...config.linux, resources: { ...config.linux?.resources, ...resources } },
  }
  writeFileAtomic(join(directory, 'config.json'), JSON.stringify(changed), { durable: false })
}

function refuseContradiction({ name, autoRemove }: ContainerRecord, { restart }: RunRequest): void {
  if (!autoRemove || (restart?.name ?? 'no') === 'no') return
  throw new TsrunError(
    'invalid-argument',
    `cannot use --restart for container "${name}": it goes when it has ended (--rm)`,
    { hint: 'make it anew without --rm' },
  )
}

// --cpus and a quota say the same in two ways: the newer one holds.
function withoutRivals(before: RunRequest, given: UpdateRequest): Partial<RunRequest> {
  if (given.cpus !== undefined) return { ...given, cpuQuota: undefined, cpuPeriod: undefined }
  const hasBandwidth = given.cpuQuota !== undefined || given.cpuPeriod !== undefined
  return hasBandwidth && before.cpus !== undefined ? { ...given, cpus: undefined } : given
}
