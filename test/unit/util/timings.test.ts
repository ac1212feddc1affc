import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { startTimings, timed, timedAsync, timingsLine } from '../../../src/util/timings.ts'

function phases(): Readonly<Record<string, number>> {
  const parts = [...(timingsLine() ?? '').matchAll(/(\w[\w ]*) ([\d.-]+) ms/g)]
  return Object.fromEntries(parts.map(([, name, value]) => [name, Number(value)]))
}

// The machine's own clock counts who else ran meanwhile.
let clock = 0
beforeEach(() => {
  clock = performance.now()
  vi.spyOn(performance, 'now').mockImplementation(() => clock)
})
afterEach(() => vi.restoreAllMocks())

function busy(milliseconds: number): void {
  clock += milliseconds
}

it('timed() counts nothing before startTimings()', () => {
  expect(timed('native', () => 5)).toBe(5)
  expect(timingsLine()).toBeUndefined()
})

it('timed() counts each millisecond once, in the innermost phase, also of what fails', async () => {
  startTimings()
  const outer = timed('compile', () => {
    busy(3)
    expect(() =>
      timed('native', () => {
        busy(40)
        throw new RangeError('no')
      }),
    ).toThrow(RangeError)
    return 'result'
  })
  expect(outer).toBe('result')
  const loaded = await timedAsync('load', async () => timed('native', () => busy(20)))
  expect(loaded).toBeUndefined()
  const { native = 0, compile = 0, load = 0 } = phases()
  // What ran inside is not counted again.
  expect({ native, compile, load }).toEqual({ native: 60, compile: 3, load: 0 })
})
