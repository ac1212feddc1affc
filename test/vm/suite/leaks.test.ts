/** Hundreds of containers leave no cgroup, no BPF program and no unit of systemd. */
import { spawnSync } from 'node:child_process'
import { cpSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeRuntime, type Runtime } from '../../support/runtime.ts'
import { type Bundle, makeBundle } from '../../support/runtime-bundle.ts'
import { createTempDir } from '../../support/temp-dir.ts'
import { eventually } from './limited-container.ts'

const repository = fileURLToPath(new URL('../../..', import.meta.url))
const CGROUPS = '/sys/fs/cgroup'

let bundle: Bundle
let runtime: Runtime
let before: Kept

beforeEach(() => {
  bundle = makeBundle()
  bundle.command('true')
  runtime = makeRuntime()
  before = kept()
})
afterEach(() => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
})

describe.each(['cgroupfs', 'systemd'])('with the %s driver', (driver) => {
  it('500 rounds in one process', { timeout: 900_000 }, async () => {
    using directory = createTempDir()
    const script = await buildRounds(directory.path)
    const args = [script, bundle.directory, '500', ...(driver === 'systemd' ? [driver] : [])]
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    await expectNothingLeft()
  })

  it('rounds of create, start and delete by the command', async () => {
    const flags = driver === 'systemd' ? ['--systemd-cgroup'] : []
    for (let round = 0; round < 10; round++) {
      const id = `round-${round}`
      const create = [...flags, 'create', '--bundle', bundle.directory, id]
      runtime.succeed(create, { stdio: 'ignore' })
      if (round === 0) expectMore(kept(), driver)
      if (round % 2 === 0) runtime.succeed(['start', id])
      runtime.succeed(['delete', '--force', id])
    }
    await expectNothingLeft()
  })
})

interface Kept {
  readonly cgroups: readonly string[]
  readonly programs: readonly string[]
  readonly units: readonly string[]
}

function kept(): Kept {
  const isDirectory = (entry: { isDirectory(): boolean }): boolean => entry.isDirectory()
  const cgroups = readdirSync(CGROUPS, { recursive: true, withFileTypes: true })
    .filter(isDirectory)
    .map((entry) => join(entry.parentPath, entry.name))
  const programs: readonly { readonly id: number; readonly type: string }[] = JSON.parse(
    output('bpftool', ['--json', 'prog', 'list']),
  )
  const units = output('systemctl', ['list-units', '--all', '--plain', '--no-legend'])
  return {
    cgroups: cgroups.sort(),
    programs: programs.map(({ id, type }) => `${type} ${id}`),
    units: units.split('\n').map((line) => line.split(' ')[0] ?? ''),
  }
}

// The kernel frees programs some time after the cgroup that they belonged to. What systemd ended meanwhile is no matter.
async function expectNothingLeft(): Promise<void> {
  await eventually(() => {
    const now = kept()
    for (const kind of ['cgroups', 'units'] as const)
      expect(now[kind].filter((name) => !before[kind].includes(name))).toEqual([])
    // systemd replaces those of its own services now and then: new numbers, the same count.
    expect(now.programs.length).toBeLessThanOrEqual(before.programs.length)
  })
}

/** The looks do see what a container has. */
function expectMore(now: Kept, driver: string): void {
  expect(now.cgroups.length).toBeGreaterThan(before.cgroups.length)
  expect(now.programs.length).toBeGreaterThan(before.programs.length)
  if (driver === 'systemd') expect(now.units.length).toBeGreaterThan(before.units.length)
}

function output(command: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command}: ${error?.message ?? stderr}`)
  return stdout
}

/** A program beside a copy of the built natives that takes a bundle and a number of rounds. */
async function buildRounds(directory: string): Promise<string> {
  cpSync(join(repository, 'dist/native'), join(directory, 'native'), { recursive: true })
  const outfile = join(directory, 'rounds.mjs')
  await build({
    stdin: {
      contents: [
        "import { warmLifecycles } from './test/bench/warm-lifecycle.ts'",
        'const [bundle, count, cgroups] = process.argv.slice(2)',
        `await warmLifecycles(${JSON.stringify(join(directory, 'root'))}, bundle, Number(count), cgroups)`,
      ].join('\n'),
      resolveDir: repository,
      loader: 'ts',
    },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    outfile,
    logLevel: 'error',
  })
  return outfile
}
