/** Gives a container in the making its volumes: makes those that are missing, fills empty ones, says what is to be mounted. */
import { join } from 'node:path'
import { TsrunError } from '../../errors.ts'
import type { Mount } from '../../oci/runtime-config.ts'
import type { ContainerImage } from '../build-container.ts'
import type { ContainerRecord, VolumeRecord } from '../container-record.ts'
import type { Engine } from '../engine.ts'
import type { RunRequest } from '../run-request.ts'
import { chownForUser } from './chown-for-user.ts'
import { copyIntoVolume } from './copy-into-volume.ts'
import { mountSourceOf } from './driver-options.ts'
import { mountVolume } from './mount-volume.ts'
import { type PlannedMount, planVolumes } from './plan-volumes.ts'
import { prepareImage, stageMount } from './stage-mounts.ts'

export interface AttachInput {
  readonly record: ContainerRecord
  readonly request: RunRequest
  readonly image: ContainerImage | undefined
  /** The container's root, mounted. */
  readonly rootPath: string
  readonly workingDirectory: string
}

export interface AttachedVolumes {
  /** For config.json. */
  readonly mounts: readonly Mount[]
  readonly records: readonly VolumeRecord[]
}

/**
 * The record names the volumes before the first one is made: whoever finds the container half made finds them
 * too. What was attached goes with {@link detachVolumes}.
 */
export async function attachVolumes(engine: Engine, input: AttachInput): Promise<AttachedVolumes> {
  const { record, request, image, workingDirectory } = input
  const planned = planVolumes(engine, request, image, workingDirectory)
  const drafts = planned.map((mount, index) => recordOf(engine, record.id, mount, index))
  engine.containers.write({ ...record, volumes: drafts })
  const records: VolumeRecord[] = []
  const mounts: Mount[] = []
  for (const [index, draft] of drafts.entries()) {
    const attached = await attach(engine, input, planned[index] as PlannedMount, draft)
    records.push(attached.record)
    mounts.push(attached.mount)
  }
  return { mounts, records }
}

/** The mounts as they would be, for those who only look: nothing is made. */
export function previewVolumes(
  engine: Engine,
  request: RunRequest,
  image: ContainerImage | undefined,
  workingDirectory: string,
): readonly Mount[] {
  const planned = planVolumes(engine, request, image, workingDirectory)
  return planned.map((mount, index) => {
    const { source } = recordOf(engine, '', mount, index)
    return { destination: mount.destination, type: 'bind', source, options: mount.options }
  })
}

function recordOf(engine: Engine, id: string, mount: PlannedMount, index: number): VolumeRecord {
  const { type, source, destination, readOnly, mode, subpath, options, anonymous, overlay } = mount
  return {
    type: type === 'volume' || type === 'image' ? type : 'bind',
    source: type === 'volume' ? engine.volumes.dataFolder(source) : source,
    destination,
    readOnly,
    propagation: type === 'bind' ? propagationOf(options) : '',
    mode,
    options,
    ...(type === 'volume' ? { name: source, anonymous } : {}),
    ...(subpath === undefined ? {} : { subpath }),
    ...(subpath !== undefined || type === 'image' ? { stage: `mount-${index}` } : {}),
    ...(overlay || type === 'image' ? { snapshot: `${id}-mount-${index}` } : {}),
  }
}

function propagationOf(options: readonly string[]): string {
  return options.find((option) => /^r?(?:shared|slave|private|unbindable)$/.test(option)) ?? ''
}

interface Attached {
  readonly record: VolumeRecord
  readonly mount: Mount
}

async function attach(
  engine: Engine,
  input: AttachInput,
  planned: PlannedMount,
  record: VolumeRecord,
): Promise<Attached> {
  const directory = engine.containers.directory(input.record.id)
  if (planned.overlay && input.record.ids !== undefined)
    throw new TsrunError(
      'not-implemented',
      `cannot use O for the mount on "${planned.destination}" in a user namespace: an overlay cannot map its ids`,
      { hint: 'use a volume, whose ids are mapped, or a copy' },
    )
  if (planned.type === 'image') await prepareImage(engine, record)
  const { path, options, isOwn } =
    planned.type === 'volume'
      ? await openVolume(engine, input, planned)
      : { path: planned.source, options: [], isOwn: false }
  stageMount(engine, directory, { ...record, source: path }, input.record.ids)
  const source = record.stage === undefined ? path : join(directory, record.stage)
  const mapping = mappingOptions(input, planned, isOwn)
  if (planned.chown)
    chownForUser(source, input, mapping.length === 0 ? input.record.ids : undefined)
  const mount = planned.overlay
    ? await overlayOf(engine, record, source)
    : {
        destination: planned.destination,
        type: 'bind',
        source,
        options: [
          ...planned.options,
          ...options.filter((o) => !planned.options.includes(o)),
          ...mapping,
        ],
      }
  return { record: { ...record, ...(planned.type === 'volume' ? { source: path } : {}) }, mount }
}

/**
 * What a volume keeps has the ids in the container: containers with different ids share it. A volume that is
 * a folder or a disk of the host shows the host's ids, as any bind mount: mapped, the container's root would
 * write there as the host's.
 */
function mappingOptions(
  { record }: AttachInput,
  planned: PlannedMount,
  isOwn: boolean,
): readonly string[] {
  if (record.ids === undefined || planned.overlay) return []
  const isMapped = planned.options.some((option) => /^r?idmap(?:=|$)/.test(option))
  return isMapped || !isOwn ? [] : ['idmap']
}

async function openVolume(
  engine: Engine,
  { record, rootPath }: AttachInput,
  { source: name, anonymous, settings, copyUp, subpath, destination }: PlannedMount,
) {
  using locked = await engine.volumes.open({ ...settings, name, anonymous }, 'exclusive')
  engine.volumes.addUser(locked, record.id)
  const source = mountVolume(locked)
  if (copyUp && subpath === undefined) await copyIntoVolume(locked, source, rootPath, destination)
  return { ...source, isOwn: mountSourceOf(name, locked.volume) === undefined }
}

async function overlayOf(
  engine: Engine,
  { snapshot, destination, readOnly }: VolumeRecord,
  source: string,
): Promise<Mount> {
  const [mount] = await engine.snapshotter().prepareAbove(snapshot ?? '', source)
  const options = [...(mount?.options ?? []), ...(readOnly ? ['ro'] : [])]
  return { destination, type: 'overlay', source: 'overlay', options }
}
