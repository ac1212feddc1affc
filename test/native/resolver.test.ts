/** The parser of tsrun-resolver under a mutation fuzz with ASan and UBSan (native-bindings/fuzz-resolver/). */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const ITERATIONS = 300_000
const nativeBindings = fileURLToPath(new URL('../../native-bindings', import.meta.url))

function run(command: string, args: readonly string[]): string {
  const { stdout, stderr, status } = spawnSync(command, args, { encoding: 'utf8' })
  expect(stderr, `${command} ${args.join(' ')}`).toBe('')
  expect(status).toBe(0)
  return stdout
}

it(`tsrun-resolver stays in bounds for ${ITERATIONS} mutated questions, replies and files`, () => {
  run('make', ['-s', '-C', nativeBindings, 'build/fuzz-resolver'])
  const output = run(join(nativeBindings, 'build/fuzz-resolver'), ['20261127', String(ITERATIONS)])
  const counts = new Map(
    output
      .trim()
      .split('\n')
      .map((line) => [line.split(' ')[0], Number(line.split(' ')[1])]),
  )
  expect((counts.get('refused') ?? 0) + (counts.get('asked') ?? 0)).toBe(ITERATIONS)
  for (const way of ['refused', 'known', 'unknown', 'reversed', 'replies', 'lines'])
    expect(counts.get(way), way).toBeGreaterThan(1000)
}, 120_000)
