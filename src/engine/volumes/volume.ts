/** volume.json: what there is to know of one volume beside its files. */
import type { VolumeSettings } from '../../spec/user-mount.ts'

export interface Volume extends VolumeSettings {
  readonly version: 1
  readonly name: string
  /** RFC 3339, UTC. */
  readonly createdAt: string
  /** Made for one container, without a name given: it goes with `rm -v` and `--rm`. */
  readonly anonymous: boolean
}

/** Whether the value that was read is a volume of this version and name. */
export function isVolume(value: unknown, name: string): value is Volume {
  return (
    typeof value === 'object' &&
    value !== null &&
    Reflect.get(value, 'version') === 1 &&
    Reflect.get(value, 'name') === name &&
    typeof Reflect.get(value, 'driverOptions') === 'object' &&
    typeof Reflect.get(value, 'labels') === 'object'
  )
}
