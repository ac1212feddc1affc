import { describe, expect, it } from 'vitest'
import { parseDeviceRule } from '../../../src/spec/device-rules.ts'

describe('parseDeviceRule()', () => {
  it.each([
    ['c 1:3 mr', { allow: true, type: 'c', major: 1, minor: 3, access: 'mr' }],
    ['b 8:* rwm', { allow: true, type: 'b', major: 8, access: 'rwm' }],
    ['a *:* rwm', { allow: true, access: 'rwm' }],
  ])('reads %s', (text, rule) => {
    expect(parseDeviceRule(text)).toEqual(rule)
  })

  it.each(['', 'c 1:3', 'c 1:3 x', 'd 1:3 r', 'c 1 r', 'c  1:3 r', 'c 1:3 r\n', 'c -1:3 r'])(
    'refuses %j',
    (text) => {
      expect(() => parseDeviceRule(text)).toThrow(/^cannot use device-cgroup-rule /)
    },
  )
})
