import { describe, expect, it } from 'vitest'
import { decodeWaitStatus } from '../../../src/linux/wait-status.ts'
import { parseExitRecord } from '../../../src/monitor/exit-record.ts'

describe('parseExitRecord()', () => {
  it('reads status, time and lost bytes', () => {
    expect(parseExitRecord('1792 2026-01-02T03:04:05.000000006Z 12\n')).toEqual({
      exitCode: 7,
      signal: 0,
      finishedAt: '2026-01-02T03:04:05.000000006Z',
      logLost: 12,
    })
  })

  it('takes a torn record for none', () => {
    expect(parseExitRecord('')).toBeUndefined()
    expect(parseExitRecord('1792 2026-01-02T03')).toBeUndefined()
  })
})

describe('decodeWaitStatus()', () => {
  it('counts a signal as shells do', () => {
    expect(decodeWaitStatus(9)).toEqual({ exitCode: 137, signal: 9 })
    expect(decodeWaitStatus(11 | 0x80)).toEqual({ exitCode: 139, signal: 11 })
    expect(decodeWaitStatus(0)).toEqual({ exitCode: 0, signal: 0 })
  })
})
