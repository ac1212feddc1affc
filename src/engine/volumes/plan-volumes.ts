/** Which volumes, images and overlays a container gets beside its plain mounts: by option, from other containers, by its image. */
import { TsrunError } from '../../errors.ts'
import { userMounts } from '../../spec/mounts.ts'
import {
  cleanDestination,
  directMount,
  PLAIN_MOUNT,
  type UserMount,
} from '../../spec/user-mount.ts'
import type { ContainerImage } from '../build-container.ts'
import type { VolumeRecord } from '../container-record.ts'
import type { Engine } from '../engine.ts'
import type { RunRequest } from '../run-request.ts'
import { anonymousVolumeName } from './volume-store.ts'

/** A mount with a name for its volume, if it is one. */
export interface PlannedMount extends UserMount {
  readonly source: string
  readonly anonymous: boolean
}

/** Whether the engine has anything to prepare for the mounts of the request. */
export function needsVolumes(
  request: RunRequest,
  image: ContainerImage | undefined,
  workingDirectory: string,
): boolean {
  if ((request.volumesFrom ?? []).length > 0) return true
  if (Object.keys(image?.process.Volumes ?? {}).length > 0) return true
  const mounts = userMounts({ options: request, host: { workingDirectory } })
  return mounts.some((mount) => directMount(mount) === undefined)
}

/** The mounts that the engine must prepare. What the user mounts himself comes before what others bring. */
export function planVolumes(
  engine: Pick<Engine, 'containers'>,
  request: RunRequest,
  image: ContainerImage | undefined,
  workingDirectory: string,
): readonly PlannedMount[] {
  const own = userMounts({ options: request, host: { workingDirectory } })
  const taken = new Set(own.map(({ destination }) => destination))
  const planned = own.filter((mount) => directMount(mount) === undefined)
  const others = [...volumesFrom(engine, request.volumesFrom ?? []), ...imageVolumes(image)]
  for (const mount of others) {
    if (taken.has(mount.destination)) continue
    taken.add(mount.destination)
    planned.push(mount)
  }
  return planned.map(nameIt)
}

function nameIt(mount: UserMount): PlannedMount {
  const { source } = mount
  const inherited = 'anonymous' in mount && mount.anonymous === true
  return {
    ...mount,
    source: source ?? anonymousVolumeName(),
    anonymous: inherited || source === undefined,
  }
}

function imageVolumes(image: ContainerImage | undefined): readonly UserMount[] {
  return Object.keys(image?.process.Volumes ?? {}).map((path) => ({
    ...PLAIN_MOUNT,
    type: 'volume',
    destination: cleanDestination('volume of the image', path, path),
    options: ['rbind', 'rprivate'],
  }))
}

function volumesFrom(
  { containers }: Pick<Engine, 'containers'>,
  texts: readonly string[],
): readonly UserMount[] {
  return texts.flatMap((text) => {
    const [name = '', mode = ''] = text.split(/:(.*)/s)
    const access = accessOf(text, mode)
    const record = containers.read(containers.find(name))
    if (record === undefined) throw new TsrunError('not-found', `no such container: ${name}`)
    return record.volumes.flatMap((volume) => inherit(volume, access))
  })
}

// Those of tmpfs and of images are not shared, as in docker.
function inherit(volume: VolumeRecord, access: string | undefined): readonly UserMount[] {
  if (volume.type !== 'bind' && volume.type !== 'volume') return []
  const readOnly = access === undefined ? volume.readOnly : access === 'ro'
  const kept = (volume.options ?? ['rbind', 'rprivate']).filter(
    (option) => option !== 'ro' && option !== 'rro',
  )
  const mount = {
    ...PLAIN_MOUNT,
    type: volume.type,
    destination: volume.destination,
    source: volume.name ?? volume.source,
    options: readOnly ? [...kept, 'ro', 'rro'] : kept,
    readOnly,
    mode: volume.mode ?? '',
    ...(volume.subpath === undefined ? {} : { subpath: volume.subpath }),
    anonymous: volume.anonymous === true,
  }
  return [mount]
}

function accessOf(text: string, mode: string): 'ro' | 'rw' | undefined {
  const words = mode.split(',').filter((word) => !['', 'z', 'Z'].includes(word))
  const [access, ...rest] = words
  if (rest.length === 0 && (access === undefined || access === 'ro' || access === 'rw'))
    return access
  throw new TsrunError(
    'invalid-argument',
    `cannot take the volumes from "${text}": "${mode}" is neither ro nor rw`,
  )
}
