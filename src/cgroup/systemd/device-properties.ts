/** Device rules as DevicePolicy= and DeviceAllow= of a unit, where systemd can say the same. */
import type { DeviceRule } from '../../oci/runtime-config.ts'
import { ALWAYS_ALLOWED, isEveryDevice } from '../device-filter.ts'
import type { UnitProperty } from './unit-properties.ts'

const NAMES: Readonly<Record<string, string>> = { b: 'block', c: 'char' }

/**
 * What systemd is told. It knows lists of what is allowed alone: where a rule takes back a part of another,
 * or a device has no number to name it by, systemd is told to keep out of it, and our own filter, which is
 * there in any case, decides alone.
 */
export function deviceProperties(rules: readonly DeviceRule[]): readonly UnitProperty[] {
  const start = rules.findLastIndex((rule) => isEveryDevice(rule) && hasAllAccess(rule))
  const isOpen = rules[start]?.allow === true
  const later = [...rules.slice(start + 1)]
  const allowed = [...ALWAYS_ALLOWED, ...later].flatMap(entriesOf)
  const isList = !isOpen && later.every(({ allow }) => allow) && !allowed.includes(undefined)
  return [
    { name: 'DevicePolicy', signature: 's', value: isList ? 'strict' : 'auto' },
    // An empty list takes back what was there before: an update adds to it otherwise.
    { name: 'DeviceAllow', signature: 'a(ss)', value: [] },
    ...(isList
      ? [{ name: 'DeviceAllow', signature: 'a(ss)', value: allowed.map((entry) => entry ?? []) }]
      : []),
  ]
}

function hasAllAccess({ access }: DeviceRule): boolean {
  return access === undefined || access === '' || [...'rwm'].every((bit) => access.includes(bit))
}

/** Pairs of a device and the access to it; undefined for what systemd has no name for. */
function entriesOf(rule: DeviceRule): readonly (readonly [string, string] | undefined)[] {
  const access = rule.access === undefined || rule.access === '' ? 'rwm' : rule.access
  if (isEveryDevice(rule))
    return [
      ['block-*', access],
      ['char-*', access],
    ]
  const name = NAMES[rule.type ?? '']
  const { major = -1, minor = -1 } = rule
  if (name === undefined || (major < 0 && minor >= 0)) return [undefined]
  if (major < 0) return [[`${name}-*`, access]]
  if (minor < 0) return [[`${name}-${major}`, access]]
  return [[`/dev/${name}/${major}:${minor}`, access]]
}
