/** 10,000 damaged config.json files: each runs as it asks, or is refused with one sentence; nothing is left. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundleProgram, type Program } from '../support/bundle-program.ts'
import { inOwnCgroup } from '../support/own-cgroup.ts'
import { missing } from '../support/requires.ts'
import { type Bundle, makeBundle } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'

const COUNT = Number(process.env.TSRUN_MUTATIONS ?? 10_000)

let bundle: Bundle
let program: Program

beforeAll(async () => {
  bundle = makeBundle()
  const source = join(import.meta.dirname, '../support/isolation-probe.c')
  const probe = join(bundle.rootfs, 'bin/isolation-probe')
  execFileSync('gcc', ['-static', '-O2', '-Wall', '-Werror', '-o', probe, source])
  program = await bundleProgram('mutation-runner')
})
afterAll(() => {
  program[Symbol.dispose]()
  bundle[Symbol.dispose]()
})

describe.skipIf(missing('root', 'cgroup2', 'userns'))('damaged configs', () => {
  it(`run or are refused, ${COUNT} of them`, { timeout: 900_000 }, () => {
    const root = join(bundle.directory, 'state')
    mkdirSync(root)
    const runner = [process.execPath, program.path, bundle.directory, root, '1', String(COUNT)]
    const [command, ...args] = inOwnCgroup(uniqueId('tsrun-mutated'), [
      ...['unshare', '--net', '--uts', '--ipc', '--pid', '--fork', '--mount-proc', '--kill-child'],
      ...runner,
    ])
    const output = execFileSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28 })
    const summary = JSON.parse(output)
    if (process.env.TSRUN_MUTATIONS_REPORT !== undefined)
      writeFileSync(process.env.TSRUN_MUTATIONS_REPORT, JSON.stringify(summary, null, 1))
    expect(summary.faults).toEqual([])
    // Otherwise the test tells nothing: a fifth at least runs, and a fifth is refused.
    expect(summary.probed).toBeGreaterThan(COUNT / 5)
    expect(summary.refused).toBeGreaterThan(COUNT / 5)
  })
})
