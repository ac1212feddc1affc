import { describe, expect, it } from 'vitest'
import { completeUpdate } from '../../../src/cgroup/complete-update.ts'

const FILES: Readonly<Record<string, string>> = {
  'cpu.max': '500000 1000000\n',
  'memory.max': '33554432\n',
}
const read = (file: string): string | undefined => FILES[file]

describe('completeUpdate()', () => {
  it('keeps the quota when the period alone changes', () => {
    expect(completeUpdate({ cpu: { period: 900000 } }, read)).toEqual({
      cpu: { period: 900000, quota: 500000 },
    })
  })

  it('leaves a quota that is given, and an unlimited one, alone', () => {
    for (const cpu of [{ quota: 1 }, { quota: -1, period: 5 }, { shares: 2 }])
      expect(completeUpdate({ cpu }, read)).toEqual({ cpu })
    expect(completeUpdate({ cpu: { period: 5 } }, () => 'max 100000\n')).toEqual({
      cpu: { period: 5 },
    })
  })

  it('takes a swap limit together with the memory limit there is', () => {
    expect(completeUpdate({ memory: { swap: 50000000 } }, read)).toEqual({
      memory: { swap: 50000000, limit: 33554432 },
    })
    for (const memory of [{ swap: -1 }, { swap: 2, limit: 1 }, { reservation: 1 }])
      expect(completeUpdate({ memory }, read)).toEqual({ memory })
  })

  it('does without the files', () => {
    const resources = { cpu: { period: 1 }, memory: { swap: 1 } }
    expect(completeUpdate(resources, () => undefined)).toEqual(resources)
    expect(completeUpdate({}, read)).toEqual({})
  })
})
