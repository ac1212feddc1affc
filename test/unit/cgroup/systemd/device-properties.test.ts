import { describe, expect, it } from 'vitest'
import { deviceProperties } from '../../../../src/cgroup/systemd/device-properties.ts'
import type { DeviceRule } from '../../../../src/oci/runtime-config.ts'

const DENY_ALL: DeviceRule = { allow: false, access: 'rwm' }
const KMSG: DeviceRule = { allow: true, type: 'c', major: 1, minor: 11, access: 'r' }

function policy(rules: readonly DeviceRule[]): unknown {
  return deviceProperties(rules)[0]?.value
}

function allowed(rules: readonly DeviceRule[]): unknown {
  return deviceProperties(rules).at(-1)?.value
}

describe('deviceProperties()', () => {
  it('lists what is allowed, and what every container may have', () => {
    expect(policy([DENY_ALL, KMSG])).toBe('strict')
    expect(allowed([DENY_ALL, KMSG])).toContainEqual(['/dev/char/1:11', 'r'])
    expect(allowed([DENY_ALL, KMSG])).toContainEqual(['/dev/char/1:3', 'rwm'])
    expect(allowed([])).toContainEqual(['char-*', 'm'])
  })

  it.each<[DeviceRule, unknown]>([
    [{ allow: true, type: 'b', major: 8 }, ['block-8', 'rwm']],
    [{ allow: true, type: 'c', access: 'rw' }, ['char-*', 'rw']],
    [{ allow: true, type: 'a', access: 'r' }, ['block-*', 'r']],
  ])('writes %j as %j', (rule, entry) => {
    expect(allowed([DENY_ALL, rule])).toContainEqual(entry)
  })

  it('takes back what was listed before, so that an update does not add to it', () => {
    const lists = deviceProperties([KMSG]).filter(({ name }) => name === 'DeviceAllow')
    expect(lists[0]?.value).toEqual([])
    expect(lists).toHaveLength(2)
  })

  it.each<[string, readonly DeviceRule[]]>([
    ['everything is allowed', [{ allow: true, access: 'rwm' }]],
    [
      'a rule takes back a part of another',
      [
        { allow: true, access: 'rw' },
        { ...KMSG, allow: false },
      ],
    ],
    ['a device has a minor number alone', [{ allow: true, type: 'c', minor: 3 }]],
    ['something is denied of everything', [{ allow: true }, { ...KMSG, allow: false }]],
  ])('keeps systemd out of it when %s', (_what, rules) => {
    expect(policy(rules)).toBe('auto')
    expect(allowed(rules)).toEqual([])
  })
})
