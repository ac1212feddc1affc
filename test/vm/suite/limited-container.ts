/** A container with limits, and what the kernel counts of its cgroup; for tsrun and for its peers. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Resources, RuntimeConfig } from '../../../src/oci/runtime-config.ts'
import type { Runtime } from '../../support/runtime.ts'
import { type Bundle, makeBundle } from '../../support/runtime-bundle.ts'

export interface LimitedContainer extends Disposable {
  readonly id: string
  readonly bundle: Bundle
  /** Host pid of its init. */
  readonly pid: number
  /** Absolute path of its cgroup. */
  readonly cgroup: string
  /** A file of the cgroup, without the last newline. */
  read(file: string): string
  /** The number behind `key` in a flat-keyed or nested-keyed file of the cgroup, e.g. `oom_kill` or `wbytes`. */
  count(file: string, key: string): number
}

let containers = 0

/** Creates and starts one that runs the shell `script` under `resources`. `change` is applied to its config. */
export function startLimited(
  runtime: Runtime,
  script: string,
  resources: Resources,
  change: (config: RuntimeConfig) => RuntimeConfig = (config) => config,
): LimitedContainer {
  const bundle = makeBundle()
  const id = `limited-${process.pid}-${containers++}`
  bundle.configure((config) =>
    change({
      ...config,
      process: { cwd: '/', ...config.process, args: ['sh', '-c', script] },
      // Where the manager of the machine has nothing to say.
      linux: { ...config.linux, resources, cgroupsPath: `/limited/${id}` },
    }),
  )
  const stop = (): void => {
    runtime.run(['delete', '--force', id])
    bundle[Symbol.dispose]()
  }
  try {
    runtime.succeed(['create', '--bundle', bundle.directory, id], { stdio: 'ignore' })
    const pid = Number(runtime.state(id).pid)
    const path = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1] ?? ''
    const cgroup = join('/sys/fs/cgroup', path)
    const read = (file: string): string => readFileSync(join(cgroup, file), 'utf8').trim()
    runtime.succeed(['start', id])
    return {
      id,
      bundle,
      pid,
      cgroup,
      read,
      count: (file, key) => countOf(read(file), key),
      [Symbol.dispose]: stop,
    }
  } catch (error) {
    stop()
    throw error
  }
}

function countOf(text: string, key: string): number {
  const found = new RegExp(`\\b${key}[ =](\\d+)`).exec(text)?.[1]
  if (found === undefined) throw new Error(`there is no ${key} in: ${text}`)
  return Number(found)
}

/** Resolves when `condition` holds, and throws what it threw last when it does not within `seconds`. */
export async function eventually(condition: () => void, seconds = 60): Promise<void> {
  const deadline = Date.now() + seconds * 1000
  for (;;) {
    try {
      return condition()
    } catch (error) {
      if (Date.now() > deadline) throw error
    }
    await sleep(50)
  }
}

/** The growth of `count` in each second of the next `seconds`. */
export async function ratePerSecond(count: () => number, seconds: number): Promise<number> {
  const [before, begin] = [count(), performance.now()]
  await sleep(seconds * 1000)
  const [after, end] = [count(), performance.now()]
  return ((after - before) * 1000) / (end - begin)
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
