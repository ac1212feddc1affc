import { describe, expect, it } from 'vitest'
import { parseRecord, shortId } from '../../../src/engine/container-record.ts'

describe('parseRecord()', () => {
  it('takes a record of this version', () => {
    expect(parseRecord('{"version":1,"id":"x","state":{"status":"created"}}', 'x')).toMatchObject({
      id: 'x',
    })
  })

  it('takes torn and foreign text for none', () => {
    for (const text of [
      '',
      '{"version":1',
      'null',
      '[]',
      '{"version":1,"id":"y","state":{}}',
      '{"version":1,"id":"x"}',
    ]) {
      expect(parseRecord(text, 'x')).toBeUndefined()
    }
  })

  it('refuses a newer version', () => {
    expect(() => parseRecord('{"version":2,"id":"x","state":{}}', 'x')).toThrow(/version 2/)
  })
})

describe('shortId()', () => {
  it('has twelve digits', () => {
    expect(shortId('0123456789abcdef')).toBe('0123456789ab')
  })
})
