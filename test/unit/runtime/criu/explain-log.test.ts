import { describe, expect, it } from 'vitest'
import { errorsOf } from '../../../../src/runtime/criu/explain-log.ts'

describe('errorsOf()', () => {
  it('has the first errors, without time and place', () => {
    const log = [
      "(00.000001) Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self",
      '(00.010000) Dumping path for 0 fd',
      "(00.020000)      1: Error (criu/files-reg.c:1790): Can't lookup mount=24 for fd=0 path=/dev/null",
      'Error (criu/cr-dump.c:1545): Dump files (pid: 1) failed with -1',
      '(00.030000) Error (criu/cr-dump.c:1975): Dumping FAILED.',
      '(00.040000) Error (criu/cr-dump.c:1976): a fourth',
    ].join('\n')
    expect(errorsOf(log)).toEqual([
      "Can't lookup mount=24 for fd=0 path=/dev/null",
      'Dump files (pid: 1) failed with -1',
      'Dumping FAILED.',
    ])
  })

  it('has none in other texts', () => {
    expect(errorsOf('')).toEqual([])
    expect(errorsOf('Error without a place\n(00.1) Warn  (criu/x.c:1): Error\n')).toEqual([])
  })
})
