/** `system prune`: removes what nobody uses, with docker's filters. */
import { TsrunError } from '../errors.ts'
import { familiarReference, parseReference } from '../oci/reference.ts'
import { imageStoreBytes, writtenBy } from './disk-usage.ts'
import type { Engine } from './engine.ts'
import { pruneEvent } from './events/event.ts'
import { recordEvent } from './events/event-log.ts'
import { imagesOf, recordImage } from './images.ts'
import { everyContainer } from './list-containers.ts'
import { removeContainer } from './remove-container.ts'

export interface PruneFilters {
  /** Only what was made before this moment, RFC 3339. */
  readonly until: string | undefined
  /** `key` or `key=value`: all must hold. */
  readonly labels: readonly string[]
  /** None may hold. */
  readonly notLabels: readonly string[]
}

export interface Pruned {
  /** What was removed, as it is printed. */
  readonly removed: readonly string[]
  readonly bytes: number
}

/** Reads `until=…`, `label=…` and `label!=…`. `parseMoment` turns a time or a duration into RFC 3339. */
export function parsePruneFilters(
  texts: readonly string[],
  parseMoment: (text: string) => string | undefined,
): PruneFilters {
  const values = { until: [] as string[], label: [] as string[], 'label!': [] as string[] }
  for (const text of texts) {
    const [, key = '', value = ''] = /^([a-z]+!?)=([\s\S]+)$/.exec(text) ?? []
    if (key !== 'until' && key !== 'label' && key !== 'label!') {
      throw new TsrunError(
        'invalid-argument',
        `cannot use the filter "${text}": the filters are until=TIME, label=KEY[=VALUE] and label!=KEY[=VALUE]`,
      )
    }
    values[key].push(value)
  }
  const until = values.until.at(-1)
  return {
    until: until === undefined ? undefined : parseMoment(until),
    labels: values.label,
    notLabels: values['label!'],
  }
}

/** Whether the filters let something with these labels, made at `created`, through. */
export function passes(
  { until, labels, notLabels }: PruneFilters,
  thing: { readonly created: string; readonly labels: Readonly<Record<string, string>> },
): boolean {
  const has = (wanted: string): boolean => hasLabel(thing.labels, wanted)
  if (until !== undefined && Date.parse(thing.created) >= Date.parse(until)) return false
  return labels.every(has) && !notLabels.some(has)
}

/** Removes containers that do not run. */
export async function pruneContainers(engine: Engine, filters: PruneFilters): Promise<Pruned> {
  const removed: string[] = []
  let bytes = 0
  for (const { record, status } of everyContainer(engine)) {
    if (status.status !== 'exited' && status.status !== 'created') continue
    if (!passes(filters, { created: record.createdAt, labels: record.labels })) continue
    const size = writtenBy(engine, record.id)
    try {
      await removeContainer(engine, record.id, { force: false })
    } catch (error) {
      // Started, or removed by another, since it was listed.
      if (error instanceof TsrunError && isOvertaken(error)) continue
      throw error
    }
    removed.push(record.id)
    bytes += size
  }
  recordEvent(engine.dataRoot, pruneEvent('container', bytes))
  return { removed, bytes }
}

/** Removes images without a name, or with `all` every one, that no container was made of. */
export async function pruneImages(
  engine: Engine,
  { all, filters }: { readonly all: boolean; readonly filters: PruneFilters },
): Promise<Pruned> {
  const store = imagesOf(engine)
  const used = new Set(everyContainer(engine).map(({ record }) => record.image?.id))
  const before = imageStoreBytes(engine)
  const chosen = store.list().filter(({ id, names, config }) => {
    if (used.has(id) || (!all && names.length > 0)) return false
    const labels = config.config?.Labels ?? {}
    return passes(filters, { created: config.created ?? new Date(0).toISOString(), labels })
  })
  if (chosen.length > 0) await store.names.removeTargets(chosen.map(({ target }) => target.digest))
  const layers = await store.collectGarbage()
  for (const { id, names } of chosen) {
    for (const name of names)
      recordImage(engine, 'untag', id, familiarReference(parseReference(name)))
    recordImage(engine, 'delete', id, id)
  }
  const removed = chosen.flatMap(({ id, names }) => [
    ...names.map((name) => `untagged: ${familiarReference(parseReference(name))}`),
    `deleted: ${id}`,
  ])
  const bytes = before - imageStoreBytes(engine)
  recordEvent(engine.dataRoot, pruneEvent('image', bytes))
  return { removed: [...removed, ...layers.map((chainId) => `deleted: ${chainId}`)], bytes }
}

function isOvertaken({ kind }: TsrunError): boolean {
  return kind === 'failed-precondition' || kind === 'not-found'
}

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const [key = '', ...rest] = wanted.split('=')
  if (!Object.hasOwn(labels, key)) return false
  return rest.length === 0 || labels[key] === rest.join('=')
}
