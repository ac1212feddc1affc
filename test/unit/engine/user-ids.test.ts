import { describe, expect, it } from 'vitest'
import { freeStart } from '../../../src/engine/user-ids.ts'

describe('freeStart()', () => {
  const range = { start: 100, count: 10 }
  const taken = (hostID: number, size: number) => ({ containerID: 0, hostID, size })

  it('finds the first gap that is wide enough', () => {
    expect(freeStart([range], 10, [])).toBe(100)
    expect(freeStart([range], 11, [])).toBeUndefined()
    expect(freeStart([range], 3, [taken(102, 2), taken(108, 1)])).toBe(104)
    expect(freeStart([range], 5, [taken(102, 2), taken(108, 1)])).toBeUndefined()
    expect(freeStart([range, { start: 500, count: 5 }], 5, [taken(99, 8)])).toBe(500)
    expect(freeStart([range], 2, [taken(50, 1), taken(100, 2)])).toBe(102)
  })
})
