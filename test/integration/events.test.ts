/** events: usage in runc's form, out-of-memory kills, and the end of the container. */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { followCgroup } from '../../src/runtime/events.ts'
import { installedRuntimes, makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle } from '../support/runtime-bundle.ts'
import { createTempDir } from '../support/temp-dir.ts'
import { uniqueId } from '../support/unique-id.ts'

const ID = uniqueId('c')
const GONE = uniqueId('gone')

// crun has no events.
describe.each(installedRuntimes().filter((name) => name !== 'crun'))('%s', (name) => {
  let bundle: Bundle
  let runtime: Runtime

  beforeAll(() => {
    bundle = makeBundle()
    bundle.command('sleep', '1000')
    runtime = makeRuntime(name)
    runtime.succeed(['run', '-d', '--bundle', bundle.directory, ID], { stdio: 'ignore' })
  })
  afterAll(() => {
    runtime[Symbol.dispose]()
    bundle[Symbol.dispose]()
  })

  it('--stats prints one document', () => {
    const lines = runtime.succeed(['events', '--stats', ID]).trimEnd().split('\n')
    expect(lines).toHaveLength(1)
    const { type, id, data } = JSON.parse(lines[0] ?? '')
    expect({ type, id }).toEqual({ type: 'stats', id: ID })
    expect(Object.keys(data)).toEqual(
      expect.arrayContaining(['cpu', 'cpuset', 'memory', 'pids', 'blkio', 'hugetlb', 'intel_rdt']),
    )
    expect(data.cpu.usage.total).toBeGreaterThan(0)
    expect(data.pids.current).toBe(1)
  })

  it.each(['0', '-1s', 'x', '5'])('refuses the interval %j', (interval) => {
    expect(runtime.run(['events', `--interval=${interval}`, ID]).status).toBe(1)
  })

  it('refuses a container that has stopped', async () => {
    runtime.succeed(['run', '-d', '--bundle', bundle.directory, GONE], { stdio: 'ignore' })
    runtime.succeed(['kill', GONE, 'KILL'])
    await runtime.waitFor(GONE, 'stopped')
    const result = runtime.run(['events', GONE])
    expect(result.status).toBe(1)
    expect(result.stderr + result.log).toContain('is not running')
    runtime.succeed(['delete', GONE])
  })
})

describe('tsrun', () => {
  // runc needs the memory controller for this, which a hybrid host has not got in cgroup v2.
  it('prints the usage now and then until the container ends', async () => {
    using bundle = makeBundle()
    bundle.command('sleep', '1000')
    using runtime = makeRuntime()
    runtime.succeed(['run', '-d', '--bundle', bundle.directory, ID], { stdio: 'ignore' })
    const events = runtime.start(['events', '--interval', '20ms', ID], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    events.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      if (output.split('\n').length > 3) runtime.run(['kill', ID, 'KILL'])
    })
    const status = await new Promise((resolve) => events.on('exit', resolve))
    expect(status).toBe(0)
    for (const line of output.trimEnd().split('\n'))
      expect(JSON.parse(line)).toMatchObject({ type: 'stats', id: ID })
  })

  it('tells each time that the kernel killed for want of memory', async () => {
    using temp = createTempDir()
    const cgroup = join(temp.path, 'cgroup')
    mkdirSync(cgroup)
    const write = (file: string, text: string): void => writeFileSync(join(cgroup, file), text)
    write('cgroup.events', 'populated 1\nfrozen 0\n')
    write('memory.events', 'oom 0\noom_kill 1\n')
    const seen: object[] = []
    const ended = followCgroup(cgroup, {
      id: ID,
      intervalMs: 1e6,
      warn: (problem) => expect.fail(String(problem)),
      emit(event) {
        seen.push(event)
        write('cgroup.events', 'populated 0\nfrozen 0\n')
      },
    })
    // No kill: an event of another kind.
    appendFileSync(join(cgroup, 'memory.events'), 'max 1\n')
    write('memory.events', 'oom 1\noom_kill 2\n')
    await ended
    expect(seen).toEqual([{ type: 'oom', id: ID }])
  })
})
