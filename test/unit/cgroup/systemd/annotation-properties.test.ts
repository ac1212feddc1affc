import { describe, expect, it } from 'vitest'
import {
  annotationProperties,
  parseVariant,
} from '../../../../src/cgroup/systemd/annotation-properties.ts'

describe('annotationProperties()', () => {
  it('takes those of systemd alone', () => {
    const annotations = {
      'org.systemd.property.CollectMode': "'inactive'",
      'org.example': 'x',
    }
    expect(annotationProperties(annotations)).toEqual([
      { name: 'CollectMode', signature: 's', value: 'inactive' },
    ])
  })

  it.each([
    ['TimeoutStopSec', '5', 'TimeoutStopUSec', 5_000_000n],
    ['TimeoutStopSec', 'uint64 5', 'TimeoutStopUSec', 5_000_000n],
    ['TimeoutStopSec', '0.25', 'TimeoutStopUSec', 250_000n],
    ['TimeoutStopUSec', 'uint64 7', 'TimeoutStopUSec', 7n],
  ])('%s=%s is %s', (name, text, property, value) => {
    expect(annotationProperties({ [`org.systemd.property.${name}`]: text })).toEqual([
      { name: property, signature: 't', value },
    ])
  })

  it.each([
    ['Ab', 'true', 'three letters'],
    ['A.B.C', 'true', 'three letters'],
    ['TimeoutStopSec', "'x'", 'seconds'],
    ['TimeoutStopSec', '-1', 'seconds'],
    ['TasksMax', 'many', 'no GVariant'],
  ])('refuses %s=%s by name', (name, text, reason) => {
    const key = `org.systemd.property.${name}`
    expect(() => annotationProperties({ [key]: text })).toThrow(
      `cannot read the annotation ${key}=`,
    )
    expect(() => annotationProperties({ [key]: text })).toThrow(reason)
  })
})

describe('parseVariant()', () => {
  it.each([
    ['true', 'b', true],
    ['-5', 'i', -5],
    ['0x10', 'i', 16],
    ['1.5', 'd', 1.5],
    ['uint64 18446744073709551615', 't', 2n ** 64n - 1n],
    ['@t 5', 't', 5n],
    ['int64 -5', 'x', -5n],
    ['byte 255', 'y', 255],
    ["'it''", undefined, undefined],
    ["'a\\'b'", 's', "a'b"],
    ['"a\'b"', 's', "a'b"],
    ['[\'a\', "b,c"]', 'as', ['a', 'b,c']],
    ['[]', 'as', []],
    ['[1, 2]', 'ai', [1, 2]],
    ['[uint64 1, uint64 2]', 'at', [1n, 2n]],
    ["['a', 1]", undefined, undefined],
    ["['a'", undefined, undefined],
    ['[[1]]', undefined, undefined],
    ['byte 256', undefined, undefined],
    ['uint32 -1', undefined, undefined],
    ['2147483648', undefined, undefined],
    ['constructor 1', undefined, undefined],
    ['', undefined, undefined],
    ["'a\0b'", undefined, undefined],
    ["'open", undefined, undefined],
  ])('%j is of type %s', (text, signature, value) => {
    expect(parseVariant(text)).toEqual(signature === undefined ? undefined : { signature, value })
  })
})
