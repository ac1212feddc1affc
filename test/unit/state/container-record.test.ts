import { describe, expect, it } from 'vitest'
import { parseContainerRecord } from '../../../src/state/container-record.ts'

const RECORD = {
  ociVersion: '1.3.0',
  id: 'c',
  bundle: '/b',
  rootfs: '/b/rootfs',
  created: '2026-01-01T00:00:00.000Z',
  pid: 7,
  startTime: 99,
  owner: 0,
}

describe('parseContainerRecord()', () => {
  it('reads what create wrote', () => {
    expect(parseContainerRecord(JSON.stringify(RECORD), '/s')).toEqual(RECORD)
  })

  it.each(['', '{', 'null', '[]', '7', '{"id":"c"}'])('refuses %j, naming the file', (text) => {
    expect(() => parseContainerRecord(text, '/run/tsrun/c/state.json')).toThrow(
      '/run/tsrun/c/state.json',
    )
  })

  it.each(['id', 'pid', 'startTime', 'owner', 'bundle'])('refuses a wrong %s', (field) => {
    const text = JSON.stringify({ ...RECORD, [field]: {} })
    expect(() => parseContainerRecord(text, '/s')).toThrow('damaged')
  })
})
