import { describe, expect, it } from 'vitest'
import { PhaseClock } from '../../../src/util/phase-clock.ts'

describe('PhaseClock', () => {
  it('gives each phase the time until the next, and what was before to load', () => {
    let now = 40
    const clock = new PhaseClock(() => now)
    clock.begin('image')
    now = 42.5
    clock.begin('create')
    now = 50
    clock.begin('image')
    now = 51
    expect(clock.report()).toBe(
      'timings: load 40.0 ms, image 3.5 ms, create 7.5 ms, total 51.0 ms\n',
    )
  })

  it('has nothing but load when no phase began', () => {
    expect(new PhaseClock(() => 3).report()).toBe('timings: load 3.0 ms, total 3.0 ms\n')
  })
})
