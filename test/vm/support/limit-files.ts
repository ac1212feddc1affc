/** What a runtime writes into a container's cgroup for given limits. */
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Resources } from '../../../src/oci/runtime-config.ts'
import { type RuntimeName, TSRUN } from '../../support/runtime.ts'
import type { Bundle } from '../../support/runtime-bundle.ts'
import type { LimitCase } from './limit-cases.ts'

/** Each control file with its text, or the step that the runtime refused. */
export type LimitFiles = Readonly<Record<string, string>>

const FOLDER = 'tsrun-limits'
/** What only counts, and what a write changes something by at once. */
const NO_LIMITS =
  /\.(stat|stat\.local|current|peak|events|events\.local|pressure|effective|reclaim|isolated|capacity)$|^cgroup\.(procs|threads|type|controllers|subtree_control|kill|freeze|pressure)$|^cpu\.weight\.nice$|^cpuset\.cpus\.partition$|^memory\.numa_stat$|^io\.(cost|prio)/

/** Creates a container with `limits` by `name`, and reads the control files of its cgroup. */
export function limitFiles(name: RuntimeName, bundle: Bundle, limits: LimitCase): LimitFiles {
  const directory = mkdtempSync(join(tmpdir(), 'tsrun-limits-'))
  const cgroup = `/${FOLDER}/${name}`
  const path = join('/sys/fs/cgroup', cgroup)
  const log = join(directory, 'log')
  const run = (...args: readonly string[]): boolean => {
    const command = name === 'tsrun' ? TSRUN : name
    const words = ['--root', join(directory, 'root'), '--log', log, ...args]
    return spawnSync(command, words, { stdio: 'ignore', timeout: 120_000 }).status === 0
  }
  configure(bundle, cgroup, limits.create)
  try {
    if (!run('create', '-b', bundle.directory, 'limits')) {
      if (name === 'tsrun' && existsSync(path))
        throw new Error(`${path} is left of a create that failed`)
      return { refused: 'create' }
    }
    const file = join(directory, 'resources.json')
    writeFileSync(file, JSON.stringify(limits.update ?? {}))
    if (limits.update !== undefined && !run('update', '--resources', file, 'limits'))
      return { refused: 'update' }
    return controlFiles(path)
  } finally {
    run('delete', '--force', 'limits')
    for (const each of [path, join('/sys/fs/cgroup', FOLDER)]) if (existsSync(each)) rmdirSync(each)
    rmSync(directory, { recursive: true })
  }
}

function configure(bundle: Bundle, cgroupsPath: string, resources: Resources): void {
  bundle.configure((config) => ({
    ...config,
    linux: { ...config.linux, cgroupsPath, resources },
  }))
}

function controlFiles(path: string): LimitFiles {
  const names = readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isFile() && !NO_LIMITS.test(entry.name))
    .map(({ name }) => name)
    .sort()
  return Object.fromEntries(
    names.map((name) => [name, readFileSync(join(path, name), 'utf8').trim()]),
  )
}

/** `files` that are not as in the container without limits. */
export function changedFiles(files: LimitFiles, untouched: LimitFiles): LimitFiles {
  return Object.fromEntries(
    Object.entries(files).filter(([name, text]) => untouched[name] !== text),
  )
}
