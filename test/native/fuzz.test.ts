/** The loader under a mutation fuzz with ASan and UBSan (native-bindings/fuzz/). */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodePlan, REFUSALS } from '../../src/plan/wire-format.ts'
import { fuzzSeeds } from './fuzz-seeds.ts'

const ITERATIONS = 500_000
const SEED = 20261126
const nativeBindings = fileURLToPath(new URL('../../native-bindings', import.meta.url))

let directory = ''
let files: string[] = []

function run(command: string, args: readonly string[]): string {
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 24 })
  expect(result.stderr, `${command} ${args.join(' ')}`).toBe('')
  expect(result.status).toBe(0)
  return result.stdout
}

function fuzz(seed: number, iterations: string): Map<string, number> {
  const output = run(join(nativeBindings, 'build', 'fuzz-plan'), [
    String(seed),
    iterations,
    ...files,
  ])
  return new Map(
    output
      .trim()
      .split('\n')
      .map((line) => {
        const [, name = '', count] = /^(.*) (\d+)$/.exec(line) ?? []
        return [name, Number(count)]
      }),
  )
}

describe('fuzz-plan', () => {
  beforeAll(() => {
    run('make', ['-s', '-C', nativeBindings, 'build/fuzz-plan'])
    directory = mkdtempSync(join(tmpdir(), 'tsrun-fuzz-'))
    files = [...fuzzSeeds()].map(([name, plan]) => {
      const file = join(directory, name)
      writeFileSync(file, encodePlan(plan))
      return file
    })
  }, 120_000)

  afterAll(() => {
    rmSync(directory, { recursive: true, force: true })
  })

  it(`verify_plan() and run_plan() stay in bounds for ${ITERATIONS} mutated plans`, () => {
    const counts = fuzz(SEED, String(ITERATIONS))
    for (const reason of REFUSALS.slice(1)) {
      expect(counts.get(`refused ${reason}`), reason).toBeGreaterThan(100)
    }
    expect([...counts.keys()].filter((key) => key.startsWith('refused '))).toHaveLength(
      REFUSALS.length - 1,
    )
    for (const how of ['failed', 'exited', 'ended']) {
      expect(counts.get(how), how).toBeGreaterThan(1000)
    }
    expect(counts.get('accepted')).toBeGreaterThan(10_000)
    expect(counts.get('calls')).toBeGreaterThan(100_000)
    expect(counts.get('restarts')).toBeGreaterThan(1000)
    expect(counts.get('extended')).toBeGreaterThan(100)
    expect(counts.get('cloned')).toBeGreaterThan(100)
    const plans = [...counts].filter(([key]) => key === 'accepted' || key.startsWith('refused '))
    expect(plans.reduce((sum, [, count]) => sum + count, 0)).toBe(ITERATIONS)
  }, 300_000)

  it('fuzz-plan replays an iteration alone', () => {
    const counts = fuzz(SEED, '=77')
    const plans = [...counts].filter(([key]) => key === 'accepted' || key.startsWith('refused '))
    expect(plans.reduce((sum, [, count]) => sum + count, 0)).toBe(1)
  })
})
