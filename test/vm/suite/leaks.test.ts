/** Hundreds of containers leave no cgroup, no BPF program and no unit of systemd. */
import { spawnSync } from 'node:child_process'
import { cpSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterEach, beforeEach, expect, it } from 'vitest'
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

it('500 rounds in one process', async () => {
  using directory = createTempDir()
  const script = await buildRounds(directory.path)
  const { status, stderr } = spawnSync(process.execPath, [script, bundle.directory, '500'], {
    encoding: 'utf8',
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  await expectNothingLeft()
})

it('rounds of create, start and delete by the command', async () => {
  for (let round = 0; round < 20; round++) {
    const id = `round-${round}`
    runtime.succeed(['create', '--bundle', bundle.directory, id], { stdio: 'ignore' })
    if (round === 0) expectMore(kept())
    if (round % 2 === 0) runtime.succeed(['start', id])
    runtime.succeed(['delete', '--force', id])
  }
  await expectNothingLeft()
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
    for (const kind of ['cgroups', 'programs', 'units'] as const)
      expect(now[kind].filter((name) => !before[kind].includes(name))).toEqual([])
  })
}

/** The looks do see what a container has. */
function expectMore({ cgroups, programs }: Kept): void {
  expect(cgroups.length).toBeGreaterThan(before.cgroups.length)
  expect(programs.length).toBeGreaterThan(before.programs.length)
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
        `await warmLifecycles(${JSON.stringify(join(directory, 'root'))}, process.argv[2], Number(process.argv[3]))`,
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
