/** Finds volumes for `volume ls` and `volume prune`, with docker's filters. */
import { TsrunError } from '../../errors.ts'
import type { Engine } from '../engine.ts'
import type { Volume } from './volume.ts'

export interface ListedVolume {
  readonly volume: Volume
  /** Ids of the containers that use it. */
  readonly users: readonly string[]
}

type Filter = (listed: ListedVolume, value: string) => boolean

const FILTERS: Readonly<Record<string, Filter>> = {
  name: ({ volume }, value) => volume.name.includes(value),
  driver: ({ volume }, value) => volume.driver === value,
  label: ({ volume }, value) => hasLabel(volume.labels, value),
  'label!': ({ volume }, value) => !hasLabel(volume.labels, value),
  dangling: ({ users }, value) => (users.length === 0) === truth('dangling', value),
  anonymous: ({ volume }, value) => volume.anonymous === truth('anonymous', value),
}

/** All volumes by name. */
export function everyVolume({ volumes }: Pick<Engine, 'volumes'>): ListedVolume[] {
  return volumes.names().flatMap((name) => {
    const volume = volumes.read(name)
    return volume === undefined ? [] : [{ volume, users: volumes.users(name) }]
  })
}

/** Those that all filters let through: `key=value`, values of one key are alternatives, except labels. */
export function chooseVolumes(
  all: readonly ListedVolume[],
  filters: readonly string[],
): ListedVolume[] {
  const groups = groupFilters(filters)
  return all.filter((listed) =>
    [...groups].every(([key, values]) => {
      const matches = (value: string) => FILTERS[key]?.(listed, value) === true
      return key.startsWith('label') ? values.every(matches) : values.some(matches)
    }),
  )
}

function groupFilters(texts: readonly string[]): Map<string, string[]> {
  const groups = new Map<string, string[]>()
  for (const text of texts) {
    const [, key = '', value = ''] = /^([a-z]+!?)=(.*)$/s.exec(text) ?? []
    if (!Object.hasOwn(FILTERS, key)) {
      throw new TsrunError(
        'invalid-argument',
        `cannot use the filter "${text}": it has the form key=value`,
        { hint: `the keys are ${Object.keys(FILTERS).join(', ')}` },
      )
    }
    groups.set(key, [...(groups.get(key) ?? []), value])
  }
  return groups
}

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const [key = '', ...rest] = wanted.split('=')
  if (!Object.hasOwn(labels, key)) return false
  return rest.length === 0 || labels[key] === rest.join('=')
}

function truth(key: string, value: string): boolean {
  if (/^(?:1|t|true)$/i.test(value)) return true
  if (/^(?:0|f|false)$/i.test(value)) return false
  throw new TsrunError(
    'invalid-argument',
    `cannot use the filter "${key}=${value}": it is true or false`,
  )
}
