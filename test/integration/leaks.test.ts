/** What a container takes, it gives back: after many containers, and after tsrun was killed at any moment. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { detectCgroups } from '../../src/cgroup/detect.ts'
import { isDeadState, parseProcStat } from '../../src/linux/parse-proc-stat.ts'
import { createContainer } from '../../src/runtime/create.ts'
import { deleteContainer } from '../../src/runtime/delete.ts'
import { startContainer } from '../../src/runtime/start.ts'
import { makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'

/** A time to sleep that nobody else on the machine has. */
const SLEEP = '86399'
/** What has ended waits for its parent for a moment. The rest is there for what does not end. */
const PATIENCE = { timeout: 60_000 }
const PREFIX = uniqueId('leak')
const OUR_ID = new RegExp(`^${PREFIX}-`)

let bundle: Bundle
let runtime: Runtime

beforeAll(() => {
  bundle = makeBundle()
  runtime = makeRuntime()
})
afterAll(() => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
})

/** Everything of the machine that our containers could leave behind; others may run beside this test. */
function machine() {
  const mountinfo = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
  return {
    mounts: mountinfo.filter(
      (line) => line.includes(bundle.directory) || line.includes(runtime.root),
    ),
    cgroups: cgroups(),
    processes: readdirSync('/proc').filter((name) => /^\d+$/.test(name) && isOurs(name)),
    containers: existsSync(runtime.root) ? readdirSync(runtime.root) : [],
    bundle: readdirSync(bundle.directory).sort(),
  }
}

function cgroups(): readonly string[] {
  const directory = join(detectCgroups()?.mountPoint ?? '/nonexistent', 'tsrun')
  return existsSync(directory) ? readdirSync(directory).filter((name) => OUR_ID.test(name)) : []
}

function isOurs(pid: string): boolean {
  try {
    const stat = parseProcStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))
    // A zombie waits for the machine's init, which is no part of tsrun.
    if (stat === undefined || isDeadState(stat.state)) return false
    if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(SLEEP)) return true
    const cgroup = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
    return OUR_ID.test(/^0::\/tsrun\/(\S+)$/m.exec(cgroup)?.[1] ?? '')
  } catch {
    return false // It ended between the listing and the look.
  }
}

/** Pids of this process's children, zombies too. */
const children = (): readonly string[] =>
  readFileSync(`/proc/self/task/${process.pid}/children`, 'latin1')
    .split(' ')
    .filter((pid) => pid)

const descriptors = (): readonly string[] => readdirSync('/proc/self/fd')

describe('200 containers in a row', () => {
  it('leave nothing, in this process neither', async () => {
    bundle.command('true')
    const lifecycle = async (id: string): Promise<void> => {
      const { exited } = await createContainer({
        root: runtime.root,
        id,
        bundle: bundle.directory,
        stdio: [0, 0, 0],
        supervise: true,
      })
      await startContainer(runtime.root, id)
      expect(await exited).toEqual({ exitCode: 0, signal: 0 })
      await deleteContainer(runtime.root, id, false)
    }
    await lifecycle(`${PREFIX}-warm`)
    const before = machine()
    const open = descriptors()
    for (let i = 0; i < 190; i++) await lifecycle(`${PREFIX}-c${i}`)
    await Promise.all(Array.from({ length: 10 }, (_, i) => lifecycle(`${PREFIX}-p${i}`)))
    await expect.poll(machine, PATIENCE).toEqual(before)
    await expect.poll(descriptors, PATIENCE).toEqual(open)
  })
})

describe('a config that turns out to be impossible while its init is waiting', () => {
  it.each([true, false])('leaves nothing, supervised: %s', async (supervise) => {
    const options = { root: runtime.root, bundle: bundle.directory, supervise }
    const before = machine()
    const open = descriptors()
    bundle.configure((config) => ({
      ...config,
      mounts: [{ destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['copy-symlink'] }],
    }))
    for (let i = 0; i < 20; i++)
      await expect(
        createContainer({ ...options, id: `${PREFIX}-i${i}`, stdio: [0, 0, 0] }),
      ).rejects.toThrow('unsupported: mounts[0].options "copy-symlink" (/tmp)')
    // What has ended waits for its parent for a moment.
    await expect.poll(machine, PATIENCE).toEqual(before)
    await expect.poll(children, PATIENCE).toEqual([])
    await expect.poll(descriptors, PATIENCE).toEqual(open)
  })
})

describe('tsrun killed at any moment', () => {
  it.each(['create', 'run'])('%s leaves nothing once the next command has run', async (verb) => {
    bundle.command('sleep', SLEEP)
    const pidFile = join(bundle.directory, 'pid')
    runtime.succeed(
      ['create', '--pid-file', pidFile, '--bundle', bundle.directory, `${PREFIX}-warm`],
      {
        stdio: 'ignore',
      },
    )
    runtime.succeed(['delete', '--force', `${PREFIX}-warm`])
    const before = machine()
    for (let i = 0; i < 25; i++) {
      const child = runtime.start([
        verb,
        '--pid-file',
        pidFile,
        '--bundle',
        bundle.directory,
        `${PREFIX}-k${i}`,
      ])
      const ended = new Promise((resolve) => child.on('exit', resolve))
      // 60 to 300 ms: from before the first line of code to after the start.
      await new Promise((resolve) => setTimeout(resolve, 60 + i * 10))
      // The launcher of dist/tsrun has become Node by exec: one process is all there is.
      child.kill('SIGKILL')
      await ended
    }
    runtime.succeed(['list'])
    for (let i = 0; i < 25; i++) runtime.succeed(['delete', '--force', `${PREFIX}-k${i}`])
    // An init whose maker was killed ends at its next sync by itself.
    await expect.poll(machine, PATIENCE).toEqual(before)
  })
})
