/** Runtimes on a machine that systemd manages, and what systemd knows of their scopes. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { RuntimeConfig } from '../../../src/oci/runtime-config.ts'
import { type Runtime, type RuntimeName, TSRUN } from '../../support/runtime.ts'
import type { Bundle } from '../../support/runtime-bundle.ts'

export const SLICE = 'tsruntest.slice'

/** The standard output of a command that must succeed. */
export function output(command: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${status}: ${stderr}`)
  return stdout
}

/** Runs `name` with its cgroups made by systemd. The container gets no stream of ours: it would keep it open. */
export function runWithSystemd(
  name: RuntimeName,
  runtime: Runtime,
  args: readonly string[],
): { readonly status: number | null; readonly log: string } {
  const command = name === 'tsrun' ? TSRUN : name
  const log = join(dirname(runtime.root), 'systemd.log')
  rmSync(log, { force: true })
  const words = [
    '--root',
    runtime.root,
    '--log',
    log,
    '--log-format',
    'json',
    '--systemd-cgroup',
    ...args,
  ]
  const { status } = spawnSync(command, words, { stdio: 'ignore', timeout: 60_000 })
  return { status, log: messagesIn(log) }
}

function messagesIn(log: string): string {
  if (!existsSync(log)) return ''
  const lines = readFileSync(log, 'utf8').trim().split('\n')
  return lines.map((line) => String(JSON.parse(line).msg)).join('\n')
}

export interface ScopeContainer {
  readonly unit: string
  /** The scope's directory. */
  readonly path: string
  /** The trimmed text of a cgroup file. */
  read(file: string): string
  /** Properties of the unit, as systemctl shows them. */
  properties(...names: readonly string[]): Readonly<Record<string, string>>
}

/** What systemd has for the container `id` that was made with `cgroupsPath` {@link SLICE}`:test:<id>`. */
export function scopeOf(id: string): ScopeContainer {
  const unit = `test-${id}.scope`
  const path = join('/sys/fs/cgroup', SLICE, unit)
  return {
    unit,
    path,
    read: (file) => readFileSync(join(path, file), 'utf8').trim(),
    properties(...names) {
      const text = output('systemctl', 'show', unit, ...names.flatMap((name) => ['-p', name]))
      return Object.fromEntries(
        text
          .trim()
          .split('\n')
          .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
      )
    },
  }
}

/** Units of the tests that systemd still knows, and directories that are still there. */
export function leftovers(): readonly string[] {
  const units = output('systemctl', 'list-units', '--all', '--plain', '--no-legend', 'test-*.scope')
  const directory = join('/sys/fs/cgroup', SLICE)
  const scopes = existsSync(directory) ? output('find', directory, '-name', '*.scope') : ''
  return [...units.split('\n'), ...scopes.split('\n')].filter((line) => line !== '')
}

/** `bundle` with a config that sleeps, in a scope of the tests. */
export function configureScope(
  bundle: Bundle,
  id: string,
  resources: NonNullable<RuntimeConfig['linux']>['resources'],
  annotations: Readonly<Record<string, string>> = {},
): void {
  bundle.configure((config) => ({
    ...config,
    annotations,
    process: { cwd: '/', ...config.process, args: ['sleep', '1000'] },
    linux: {
      ...config.linux,
      devices: [{ path: '/dev/kmsg', type: 'c', major: 1, minor: 11, fileMode: 0o666 }],
      cgroupsPath: `${SLICE}:test:${id}`,
      resources: resources ?? {},
    },
  }))
}
