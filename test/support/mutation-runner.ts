/**
 * Runs damaged configs one after the other and prints what came of them as JSON. A process of its own in
 * namespaces of its own, the cgroup one too: `node mutation-runner.mjs <bundle> <root> <first seed> <count>`.
 */
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cgroupPath } from '../../src/cgroup/cgroupfs-manager.ts'
import { requireCgroups } from '../../src/cgroup/detect.ts'
import { errnoCodeOf, TsrunError } from '../../src/errors.ts'
import type { RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { parseRuntimeConfig } from '../../src/oci/validate-runtime-config.ts'
import { createContainer } from '../../src/runtime/create.ts'
import { deleteContainer } from '../../src/runtime/delete.ts'
import { missingIsolation, parseProbe } from './expected-isolation.ts'
import { mutatedConfig } from './mutate-config.ts'
import { ownDescriptors } from './own-descriptors.ts'
import { seededRandom } from './random-profiles.ts'

const PROBE = '/bin/isolation-probe'
const PATIENCE_MS = 20_000

interface Summary {
  ran: number
  probed: number
  refused: number
  /** `<seed>: <what is wrong>`. */
  readonly faults: string[]
  /** One example of each refusal, by its text without numbers. */
  readonly refusals: Record<string, number>
}

const [bundle = '', root = '', first = '0', count = '0'] = process.argv.slice(2)
const summary: Summary = { ran: 0, probed: 0, refused: 0, faults: [], refusals: {} }
const hostLinks = new Set(
  readdirSync('/proc/self/ns').map((name) => readlinkSync(`/proc/self/ns/${name}`)),
)
const output = join(bundle, 'output')

// What a process opens once and keeps, it has now.
for (let seed = -20; seed < 0; seed++) await tryOne(seed)
const before = await quietMachine()
for (let seed = Number(first); seed < Number(first) + Number(count); seed++) await tryOne(seed)
const after = await settledMachine()
if (after !== before) summary.faults.push(`left behind: ${before} became ${after}`)
process.stdout.write(JSON.stringify(summary))

async function tryOne(seed: number): Promise<void> {
  const text = JSON.stringify(mutatedConfig(seededRandom(seed), [PROBE]))
  let config: RuntimeConfig
  try {
    config = parseRuntimeConfig(text)
  } catch (error) {
    refused(seed, error, true)
    return
  }
  if (isOutsideBundle(config)) return
  const sink = openSync(output, 'w')
  try {
    await runOne(seed, config, sink)
  } finally {
    closeSync(sink)
    rmSync(output, { force: true })
    removeCgroupParents(config, `mutated-${seed}`)
  }
}

/**
 * A runtime removes the cgroup that a config names and leaves those above it (runc and crun too): they are
 * the caller's, which is us. One that is not empty stays, and {@link machine} shows it.
 */
function removeCgroupParents(config: RuntimeConfig, id: string): void {
  const hierarchy = requireCgroups()
  const path = cgroupPath(hierarchy, config.linux?.cgroupsPath, id)
  for (
    let above = dirname(path);
    above.startsWith(`${hierarchy.mountPoint}/`);
    above = dirname(above)
  )
    if (existsSync(above)) removeIfEmpty(above)
}

function removeIfEmpty(cgroup: string): void {
  try {
    rmdirSync(cgroup)
  } catch (error) {
    if (errnoCodeOf(error) !== 'EBUSY' && errnoCodeOf(error) !== 'ENOTEMPTY') throw error
  }
}

async function runOne(seed: number, config: RuntimeConfig, sink: number): Promise<void> {
  const id = `mutated-${seed}`
  try {
    const made = createContainer({
      root,
      id,
      bundle,
      config,
      stdio: [sink, sink, sink],
      supervise: true,
      startAtOnce: true,
    })
    const created = await inTime(made)
    if (created === 'late') {
      summary.faults.push(`${seed}: create hangs`)
      return
    }
    if ((await inTime<unknown>(created.exited ?? Promise.resolve())) === 'late')
      summary.faults.push(`${seed}: the container hangs`)
    summary.ran++
    look(seed, config)
  } catch (error) {
    refused(seed, error, false)
  } finally {
    await deleteContainer(root, id, true).catch((error) =>
      summary.faults.push(`${seed}: delete: ${describe(error)}`),
    )
  }
}

function look(seed: number, config: RuntimeConfig): void {
  const probe = parseProbe(readFileSync(output, 'utf8'))
  if (probe === undefined) return
  summary.probed++
  for (const missing of missingIsolation(config, probe, hostLinks))
    summary.faults.push(`${seed}: ${missing}`)
}

/** One sentence, of a kind that says whose fault it is; the validator's with the pointer. */
function refused(seed: number, error: unknown, byValidator: boolean): void {
  summary.refused++
  const text = describe(error)
  const shape = text.replace(/\d+/g, '0').slice(0, 100)
  summary.refusals[shape] = (summary.refusals[shape] ?? 0) + 1
  if (!(error instanceof TsrunError)) summary.faults.push(`${seed}: not a TsrunError: ${text}`)
  else if (error.kind === 'internal') summary.faults.push(`${seed}: internal: ${text}`)
  else if (byValidator && !text.includes('/')) summary.faults.push(`${seed}: no pointer: ${text}`)
  if (text.includes('\n') || text.includes('\0'))
    summary.faults.push(`${seed}: more than a line: ${JSON.stringify(text)}`)
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message}: ${describe(error.cause)}`
}

function isOutsideBundle(config: RuntimeConfig): boolean {
  const path = resolve(bundle, config.root?.path ?? '')
  return path !== bundle && !path.startsWith(`${bundle}/`)
}

async function inTime<Value>(promise: Promise<Value>): Promise<Value | 'late'> {
  const timer = new AbortController()
  const late = sleep(PATIENCE_MS, 'late' as const, { signal: timer.signal })
  late.catch(() => undefined)
  try {
    return await Promise.race([promise, late])
  } finally {
    timer.abort()
  }
}

function processes(): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .flatMap((pid) => processLine(pid) ?? [])
}

function processLine(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ', 3).join(' ')
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT' || errnoCodeOf(error) === 'ESRCH') return undefined
    throw error
  }
}

/** Every directory of the hierarchy: in a cgroup namespace all of them are ours. */
function cgroups(): readonly string[] {
  return readdirSync(requireCgroups().mountPoint, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

/** The machine as it was before, or as it still is when nothing more can be on its way. */
/** What there is once nothing has changed for a while: the last of the first has ended, too. */
async function quietMachine(): Promise<string> {
  const deadline = Date.now() + PATIENCE_MS
  for (let last = machine(); ; ) {
    await sleep(500)
    const now = machine()
    if (now === last || Date.now() > deadline) return now
    last = now
  }
}

async function settledMachine(): Promise<string> {
  const deadline = Date.now() + PATIENCE_MS
  // Launchers are reaped, and pipes seen to end, a moment after their last word.
  while (machine() !== before && Date.now() < deadline) await sleep(10)
  return machine()
}

function machine(): string {
  return JSON.stringify({
    descriptors: ownDescriptors(),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8').split('\n').length,
    containers: readdirSync(root),
    bundle: readdirSync(bundle).sort(),
    processes: processes(),
    cgroups: cgroups(),
  })
}
