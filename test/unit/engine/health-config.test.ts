import { describe, expect, it } from 'vitest'
import { checkCommand, checkSchedule, healthConfigOf } from '../../../src/engine/health-config.ts'

const image = {
  Healthcheck: { Test: ['CMD', 'ping', '-c1'], Interval: 5e9, Timeout: 1.5e9, Retries: 7 },
}

describe('healthConfigOf()', () => {
  it('is undefined without a check', () => {
    expect(healthConfigOf(undefined, undefined)).toBeUndefined()
    expect(healthConfigOf({}, { intervalMs: 5 })).toBeUndefined()
    expect(healthConfigOf({ Healthcheck: { Test: ['NONE'] } }, undefined)).toBeUndefined()
    expect(healthConfigOf(image, { test: ['NONE'] })).toBeUndefined()
  })

  it("takes the image's, docker's defaults for the rest", () => {
    expect(healthConfigOf(image, undefined)).toEqual({
      test: ['CMD', 'ping', '-c1'],
      intervalMs: 5000,
      timeoutMs: 1500,
      startPeriodMs: 0,
      startIntervalMs: 5000,
      retries: 7,
      onFailure: 'none',
    })
  })

  it('takes each field of the user before the image', () => {
    const config = healthConfigOf(image, { intervalMs: 0, retries: 1, onFailure: 'kill' })
    expect(config).toMatchObject({ intervalMs: 0, timeoutMs: 1500, retries: 1, onFailure: 'kill' })
    expect(healthConfigOf(image, { test: ['CMD-SHELL', 'true'] })?.test[1]).toBe('true')
  })

  it('does not trust the numbers of an image', () => {
    const Healthcheck = { Test: ['CMD', 'x'], Interval: 1e300, Timeout: -1, Retries: -3 }
    expect(healthConfigOf({ Healthcheck }, undefined)).toMatchObject({
      intervalMs: 0xfffffffe,
      timeoutMs: 30_000,
      retries: 3,
    })
  })
})

describe('checkCommand()', () => {
  const command = (test: readonly string[], Shell?: readonly string[]) => {
    const config = healthConfigOf(undefined, { test })
    if (config === undefined) throw new Error('no check')
    return checkCommand(config, Shell === undefined ? {} : { Shell })
  }

  it('runs a program as it is, a command by the shell of the image', () => {
    expect(command(['CMD', 'a', 'b c'])).toEqual(['a', 'b c'])
    expect(command(['CMD-SHELL', 'a | b'])).toEqual(['/bin/sh', '-c', 'a | b'])
    expect(command(['CMD-SHELL', 'x'], ['/bin/bash', '-ec'])).toEqual(['/bin/bash', '-ec', 'x'])
  })
})

describe('checkSchedule()', () => {
  it('lets the monitor stop what is to be started anew', () => {
    const config = healthConfigOf(image, { onFailure: 'restart' })
    expect(config && checkSchedule(config).action).toBe('stop')
  })
})
