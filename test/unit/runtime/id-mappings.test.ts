import { describe, expect, it } from 'vitest'
import { checkMap, isOwnId } from '../../../src/runtime/id-mappings.ts'
import { argumentsOf } from '../../../src/runtime/rootless/map-helper.ts'

const OWN = { containerID: 0, hostID: 1000, size: 1 }
const RANGE = { containerID: 1, hostID: 100_000, size: 65_536 }

describe('isOwnId()', () => {
  it('is what the kernel lets a user map', () => {
    expect(isOwnId([OWN], 1000)).toBe(true)
    expect(isOwnId([OWN], 1001)).toBe(false)
    expect(isOwnId([{ ...OWN, size: 2 }], 1000)).toBe(false)
    expect(isOwnId([OWN, RANGE], 1000)).toBe(false)
    expect(isOwnId([], 1000)).toBe(false)
  })
})

describe('checkMap()', () => {
  it('takes the text of the kernel, in any order', () => {
    const text = '         1     100000      65536\n         0       1000          1\n'
    expect(() => checkMap(text, [OWN, RANGE], 'linux.uidMappings')).not.toThrow()
  })

  it.each([
    '',
    '0 1000 1\n',
    '0 1000 1\n1 100000 65537\n',
    '0 1000 1\n1 100000 65536\n70000 0 1\n',
  ])('refuses %j', (text) => {
    expect(() => checkMap(text, [OWN, RANGE], 'linux.uidMappings')).toThrow(
      /^cannot apply linux.uidMappings: the namespace has/,
    )
  })
})

describe('argumentsOf()', () => {
  it('is what newuidmap(1) takes', () => {
    const words = argumentsOf({ pid: 7, kind: 'uid', mappings: [OWN, RANGE], field: 'f' })
    expect(words.join(' ')).toBe('7 0 1000 1 1 100000 65536')
  })
})
