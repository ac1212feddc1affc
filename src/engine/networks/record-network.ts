/** What becomes of networks, for `tsrun events`. */
import type { NetworkRecord } from '../../network/network-record.ts'
import type { Engine } from '../engine.ts'
import { objectEvent } from '../events/event.ts'
import { recordEvent } from '../events/event-log.ts'

/** Writes the event down, as docker names and describes it. */
export function recordNetwork(
  { dataRoot }: Pick<Engine, 'dataRoot'>,
  action: 'create' | 'destroy',
  { id, name, driver }: NetworkRecord,
): void {
  recordEvent(dataRoot, objectEvent('network', action, id, { name, type: driver }))
}

/** Writes down that a container has come into a network, or has left it. */
export function recordMember(
  { dataRoot }: Pick<Engine, 'dataRoot'>,
  action: 'connect' | 'disconnect',
  { id, name, driver }: NetworkRecord,
  container: string,
): void {
  recordEvent(dataRoot, objectEvent('network', action, id, { container, name, type: driver }))
}
