import { describe, expect, it } from 'vitest'
import { decodeWaitStatus } from '../../../src/linux/wait-status.ts'
import { canDelete, canExec, canKill, canStart } from '../../../src/runtime/status.ts'

const STATUSES = ['creating', 'created', 'running', 'paused', 'stopped'] as const

describe('the states', () => {
  it.each([
    ['canStart', canStart, ['created']],
    ['canKill', canKill, ['created', 'running', 'paused']],
    ['canExec', canExec, ['created', 'running']],
    ['canDelete', canDelete, ['stopped']],
  ] as const)('%s() holds in the states of the specification', (_, can, expected) => {
    expect(STATUSES.filter(can)).toEqual(expected)
  })
})

describe('decodeWaitStatus()', () => {
  it.each([
    [0, 0, 0],
    [7 << 8, 7, 0],
    [255 << 8, 255, 0],
    [9, 137, 9],
    [15 | 0x80, 143, 15],
  ])('%i is status %i by signal %i', (status, exitCode, signal) => {
    expect(decodeWaitStatus(status)).toEqual({ exitCode, signal })
  })
})
