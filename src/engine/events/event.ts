/** What happened to a container, an image or a volume, in the words and the shape of docker's events. */
import type { ContainerRecord } from '../container-record.ts'

export interface EngineEvent {
  readonly type: 'container' | 'image' | 'volume' | 'network'
  /** As `start`, or `exec_create: sh -c true`. */
  readonly action: string
  readonly id: string
  readonly attributes: Readonly<Record<string, string>>
  /** Nanoseconds since the epoch, as a decimal number: JSON numbers are too short for it. */
  readonly timeNano: string
}

/** The event `action` of a container: its labels, its image and its name go along. */
export function containerEvent(
  record: ContainerRecord,
  action: string,
  more: Readonly<Record<string, string>> = {},
): Omit<EngineEvent, 'timeNano'> {
  return {
    type: 'container',
    action,
    id: record.id,
    // The engine's own words last: a label must not be able to pass for them.
    attributes: {
      ...record.labels,
      image: record.image?.reference ?? record.rootfs ?? '',
      name: record.name,
      ...more,
    },
  }
}

/** The event `action` of something else than a container; docker shows the name of an image or a network beside its id. */
export function objectEvent(
  type: Exclude<EngineEvent['type'], 'container'>,
  action: string,
  id: string,
  attributes: Readonly<Record<string, string>>,
): Omit<EngineEvent, 'timeNano'> {
  return { type, action, id, attributes }
}

/** The events `mount` or `unmount` of the named volumes of a container, as docker tells them around a run. */
export function volumeEvents(
  { id, volumes }: ContainerRecord,
  action: 'mount' | 'unmount',
): readonly Omit<EngineEvent, 'timeNano'>[] {
  return volumes.flatMap(({ name, destination, readOnly }) => {
    if (name === undefined) return []
    const place = { destination, propagation: '', 'read/write': String(!readOnly) }
    const attributes = { container: id, driver: 'local', ...(action === 'mount' ? place : {}) }
    return [objectEvent('volume', action, name, attributes)]
  })
}

/** The event `prune` of a kind of things, with the bytes that they had. */
export function pruneEvent(
  type: EngineEvent['type'],
  bytes: number,
): Omit<EngineEvent, 'timeNano'> {
  return { type, action: 'prune', id: '', attributes: { reclaimed: String(bytes) } }
}

/** The event in the shape of docker's API. */
export function toDockerEvent(event: EngineEvent): Record<string, unknown> {
  const { type, action, id, attributes, timeNano } = event
  return {
    ...(type === 'container' ? { status: action, id, from: attributes.image ?? '' } : {}),
    ...(type === 'image' ? { status: action, id } : {}),
    Type: type,
    Action: action,
    Actor: { ID: id, Attributes: new Map(Object.entries(attributes)) },
    scope: 'local',
    time: Number(BigInt(timeNano) / 1_000_000_000n),
    // A double, as whoever reads JSON makes of it; the text form has all digits.
    timeNano: Number(timeNano),
  }
}

/** `2026-11-27T02:21:22.123456789Z`. */
export function eventTime({ timeNano }: EngineEvent): string {
  const nano = BigInt(timeNano)
  const seconds = new Date(Number(nano / 1_000_000n)).toISOString().slice(0, 19)
  return `${seconds}.${String(nano % 1_000_000_000n).padStart(9, '0')}Z`
}

/** The event as docker prints it. */
export function formatEvent(event: EngineEvent): string {
  const attributes = Object.entries(event.attributes)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
  return `${eventTime(event)} ${event.type} ${event.action} ${event.id} (${attributes.join(', ')})`
}

/** Parses a line of the log; undefined for a torn one. */
export function parseEvent(line: string): EngineEvent | undefined {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    // A power cut, or a full disk, has cut the line short.
    return undefined
  }
  const has = (key: string) =>
    typeof value === 'object' && value !== null && typeof Reflect.get(value, key) === 'string'
  const attributes = typeof value === 'object' && value !== null && Reflect.get(value, 'attributes')
  const isWhole = ['type', 'action', 'id', 'timeNano'].every(has) && typeof attributes === 'object'
  return isWhole ? (value as EngineEvent) : undefined
}
