import { expect, it } from 'vitest'
import { startTimings, timed, timedAsync, timingsLine } from '../../../src/util/timings.ts'

function phases(): Readonly<Record<string, number>> {
  const parts = [...(timingsLine() ?? '').matchAll(/(\w[\w ]*) ([\d.-]+) ms/g)]
  return Object.fromEntries(parts.map(([, name, value]) => [name, Number(value)]))
}

function busy(milliseconds: number): void {
  const end = performance.now() + milliseconds
  while (performance.now() < end);
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
  expect(native).toBeGreaterThanOrEqual(60)
  expect(compile).toBeGreaterThanOrEqual(3)
  // What ran inside is not counted again.
  expect(compile + load).toBeLessThan(native)
})
