import { describe, expect, it } from 'vitest'
import {
  type EndedRun,
  parseRestartPolicy,
  restartStep,
} from '../../../src/engine/restart-policy.ts'

describe('parseRestartPolicy()', () => {
  it('reads docker’s policies', () => {
    expect(parseRestartPolicy('no')).toEqual({ name: 'no', maximumRetryCount: 0 })
    expect(parseRestartPolicy('always')).toEqual({ name: 'always', maximumRetryCount: 0 })
    expect(parseRestartPolicy('unless-stopped').name).toBe('unless-stopped')
    expect(parseRestartPolicy('on-failure')).toEqual({ name: 'on-failure', maximumRetryCount: 0 })
    expect(parseRestartPolicy('on-failure:5').maximumRetryCount).toBe(5)
  })

  it.each(['', 'sometimes', 'on-failure:', 'on-failure:-1', 'on-failure:x', 'always:3', 'always '])(
    'refuses "%s"',
    (text) => {
      expect(() => parseRestartPolicy(text)).toThrow(`cannot use --restart "${text}"`)
    },
  )
})

describe('restartStep()', () => {
  const run = (more: Partial<EndedRun> = {}): EndedRun => ({
    exitCode: 1,
    ranMs: 5,
    stopped: false,
    restartCount: 0,
    ...more,
  })
  const always = parseRestartPolicy('always')

  it('doubles the delay up to a minute and begins anew after a long run', () => {
    const steps: number[] = []
    for (let step: number | undefined; steps.length < 12; ) {
      step = restartStep(always, run({ delayStep: step }))
      steps.push(step ?? -1)
    }
    expect(steps).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10])
    expect(100 * 2 ** 9).toBeLessThan(60_000)
    expect(100 * 2 ** 10).toBeGreaterThanOrEqual(60_000)
    expect(restartStep(always, run({ delayStep: 10, ranMs: 10_000 }))).toBe(0)
  })

  it('asks the policy', () => {
    const step = (policy: string, more: Partial<EndedRun>) =>
      restartStep(parseRestartPolicy(policy), run(more))
    expect(step('no', {})).toBeUndefined()
    expect(step('always', { exitCode: 0 })).toBe(0)
    expect(step('unless-stopped', { exitCode: 0 })).toBe(0)
    expect(step('on-failure', { exitCode: 0 })).toBeUndefined()
    expect(step('on-failure', { exitCode: 137, restartCount: 1000 })).toBe(0)
    expect(step('on-failure:2', { restartCount: 1 })).toBe(0)
    expect(step('on-failure:2', { restartCount: 2 })).toBeUndefined()
  })

  it('leaves alone what the user has stopped, under every policy', () => {
    for (const name of ['always', 'unless-stopped', 'on-failure'] as const)
      expect(restartStep({ name, maximumRetryCount: 0 }, run({ stopped: true }))).toBeUndefined()
  })

  it('does what unhealthiness asks for', () => {
    const no = parseRestartPolicy('no')
    expect(restartStep(no, run({ unhealthy: 'restart' }))).toBe(0)
    expect(restartStep(always, run({ unhealthy: 'stop' }))).toBeUndefined()
    expect(restartStep(no, run({ unhealthy: 'restart', stopped: true }))).toBeUndefined()
  })
})
