/** What the user is told when a container has run into a limit: of its own, or of a cgroup above. */
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run } from '../../../src/index.ts'
import { TestEngine } from '../../support/engine.ts'
import { makeRuntime, type Runtime } from '../../support/runtime.ts'
import { type Bundle, makeBundle } from '../../support/runtime-bundle.ts'

const GREEDY = ['sh', '-c', 'a=x; while :; do a=$a$a; done']
const MIB = 1024 * 1024

describe('tsrun run', () => {
  const engine = new TestEngine()
  beforeAll(() => engine.loadBusybox())
  afterAll(() => engine[Symbol.dispose]())

  it('says that memory.max of the container was reached, with the peak and the counter', () => {
    const { status, stderr } = engine.run([
      'run',
      '--name',
      'greedy',
      '-m',
      '16m',
      '--memory-swap',
      '16m',
      'busybox',
      ...GREEDY,
    ])
    expect(status).toBe(137)
    expect(stderr).toMatch(
      /^tsrun: container [0-9a-f]{12}: the kernel killed \d+ of its processes for want of memory: memory\.max of its own cgroup \(\/sys\/fs\/cgroup\/\S+\) is 16\.78MB \(16777216 bytes\), peak 1\d\.\d+MB \(\d+ bytes\) \(memory\.events oom_kill: \d+\)\n$/m,
    )
    const [{ State }] = JSON.parse(engine.succeed(['inspect', 'greedy']))
    expect(State).toMatchObject({
      OOMKilled: true,
      ExitCode: 137,
      LimitsReached: [
        { resource: 'memory', owner: 'container', file: 'memory.max', limit: '16777216' },
      ],
    })
    expect(State.Error).toContain('for want of memory')
    engine.succeed(['rm', 'greedy'])
  })

  it('counts the processes that pids.max refused', () => {
    const { stderr } = engine.run([
      'run',
      '--rm',
      '--pids-limit',
      '4',
      'busybox',
      'sh',
      '-c',
      'for i in 1 2 3 4 5 6; do sleep 1 & done; wait',
    ])
    expect(stderr).toMatch(
      /the kernel refused it new processes \d+ times?: pids\.max of its own cgroup \(\S+\) is 4, peak 4/,
    )
  })

  it('says nothing of a container that ended in peace', () => {
    expect(engine.run(['run', '--rm', '-m', '64m', 'busybox', 'true']).stderr).toBe('')
  })
})

describe('the library', () => {
  const engine = new TestEngine()
  beforeAll(() => engine.loadBusybox())
  afterAll(() => engine[Symbol.dispose]())

  it('has the limit in the result, with the peak and the counter', async () => {
    const { dataRoot, stateRoot } = engine
    const result = await run({
      image: 'busybox',
      args: GREEDY,
      memory: 16 * MIB,
      dataRoot,
      stateRoot,
    })
    expect(result).toMatchObject({
      exitCode: 137,
      signal: 'SIGKILL',
      limitsReached: [
        {
          resource: 'memory',
          owner: 'container',
          file: 'memory.max',
          limit: '16777216',
          peak: expect.stringMatching(/^1\d{7}$/),
          counter: 'memory.events oom_kill',
        },
      ],
    })
  })
})

describe('tsrun state', () => {
  let bundle: Bundle
  let runtime: Runtime
  const pod = '/sys/fs/cgroup/exit-report-pod'
  beforeAll(() => {
    bundle = makeBundle()
    runtime = makeRuntime()
    mkdirSync(pod)
    writeFileSync('/sys/fs/cgroup/cgroup.subtree_control', '+memory +pids')
    writeFileSync(`${pod}/memory.max`, String(16 * MIB))
    writeFileSync(`${pod}/memory.swap.max`, '0')
  })
  afterAll(() => {
    runtime[Symbol.dispose]()
    bundle[Symbol.dispose]()
    rmdirSync(pod)
  })

  it('names the cgroup above that was at its limit, and what moved since the container was made', async () => {
    // The second container must not be told of what the first one did.
    for (const [id, resources, limit] of [
      ['first', {}, { owner: 'ancestor', cgroup: pod, limit: String(16 * MIB) }],
      [
        'second',
        { memory: { limit: 8 * MIB, swap: 8 * MIB } },
        { owner: 'container', cgroup: `${pod}/second`, limit: String(8 * MIB) },
      ],
    ] as const) {
      bundle.configure((config) => ({
        ...config,
        process: { cwd: '/', ...config.process, args: GREEDY },
        linux: { ...config.linux, cgroupsPath: `/exit-report-pod/${id}`, resources },
      }))
      runtime.succeed(['run', '-d', '-b', bundle.directory, id], { stdio: 'ignore' })
      await runtime.waitFor(id, 'stopped')
      const state = runtime.state(id)
      expect(state.limitsReached).toMatchObject([
        { resource: 'memory', file: 'memory.max', counter: 'memory.events oom_kill', ...limit },
      ])
      runtime.succeed(['delete', id])
    }
  })
})
