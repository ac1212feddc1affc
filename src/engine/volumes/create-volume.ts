/** `volume create`: a volume under a name, made once. */
import { isDeepStrictEqual } from 'node:util'
import { TsrunError } from '../../errors.ts'
import type { VolumeSettings } from '../../spec/user-mount.ts'
import type { Engine } from '../engine.ts'
import { anonymousVolumeName } from './volume-store.ts'

/** Resolves to the name. One that is there already is no error when it is what is asked for. */
export function createVolume(
  { volumes }: Pick<Engine, 'volumes'>,
  name: string | undefined,
  settings: VolumeSettings,
): string {
  const wanted = name ?? anonymousVolumeName()
  if (volumes.create(wanted, { ...settings, anonymous: name === undefined })) return wanted
  const there = volumes.read(wanted)
  const { driver, driverOptions, labels } = settings
  const isSame =
    there?.driver === driver &&
    isDeepStrictEqual(there.driverOptions, driverOptions) &&
    Object.entries(labels).every(([key, value]) => there.labels[key] === value)
  if (isSame) return wanted
  throw new TsrunError(
    'already-exists',
    `cannot make volume "${wanted}": there is one of this name with other options or labels`,
    { hint: `look at it with tsrun volume inspect ${wanted}, or choose another name` },
  )
}
