/** A volume in the shape of docker's `volume inspect`; maps are Maps, as Go's templates see them. */
import type { Engine } from '../engine.ts'

/** Throws `not-found`. */
export function inspectVolume({ volumes }: Pick<Engine, 'volumes'>, name: string) {
  const { createdAt, driver, driverOptions, labels, anonymous } = volumes.find(name)
  return {
    CreatedAt: createdAt,
    Driver: driver,
    Labels: new Map(Object.entries(labels)),
    Mountpoint: volumes.dataFolder(name),
    Name: name,
    Options: new Map(Object.entries(driverOptions)),
    Scope: 'local',
    Anonymous: anonymous,
    UsedBy: volumes.users(name),
  }
}
