/** docker's filters of events: one key's values are alternatives, keys must all hold. */
import { TsrunError } from '../../errors.ts'
import type { EngineEvent } from './event.ts'

type Filter = (event: EngineEvent, value: string) => boolean

const FILTERS: Readonly<Record<string, Filter>> = {
  container: (event, value) => isActor(event, 'container', value),
  event: ({ action }, value) => action === value || action.startsWith(`${value}:`),
  image: (event, value) =>
    isActor(event, 'image', value) || isImage(event.attributes.image ?? '', value),
  label: ({ attributes }, value) => {
    const [key = '', ...rest] = value.split('=')
    if (!Object.hasOwn(attributes, key)) return false
    return rest.length === 0 || attributes[key] === rest.join('=')
  },
  network: (event, value) => isActor(event, 'network', value),
  scope: (_, value) => value === 'local',
  type: ({ type }, value) => type === value,
  volume: (event, value) => isActor(event, 'volume', value),
}

/** Whether an event passes; throws for a filter that there is not. */
export function eventFilter(texts: readonly string[]): (event: EngineEvent) => boolean {
  const groups = new Map<string, string[]>()
  for (const text of texts) {
    const [key = '', ...rest] = text.split('=')
    if (rest.length === 0 || !Object.hasOwn(FILTERS, key))
      throw new TsrunError(
        'invalid-argument',
        `cannot use the filter "${text}": it has the form key=value, and the keys are ${Object.keys(FILTERS).join(', ')}`,
      )
    groups.set(key, [...(groups.get(key) ?? []), rest.join('=')])
  }
  return (event) =>
    [...groups].every(([key, values]) => values.some((value) => FILTERS[key]?.(event, value)))
}

function isActor({ type, id, attributes }: EngineEvent, wanted: string, value: string): boolean {
  if (type !== wanted || value === '') return false
  return id.startsWith(value) || attributes.name === value
}

function isImage(reference: string, value: string): boolean {
  return reference === value || `${reference}:latest` === value || reference.split(':')[0] === value
}
