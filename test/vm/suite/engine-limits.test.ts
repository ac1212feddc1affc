/** The engine's limits where every controller counts: run -m --cpus --pids-limit, update, OOM in inspect and events, stats. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { TestEngine } from '../../support/engine.ts'
import { missing } from '../../support/requires.ts'

const MEBIBYTE = 1 << 20
/** Takes all memory that there is, a megabyte at a time. */
const HUNGRY = 'x=.; while :; do x=$x$x; done'

describe.skipIf(missing('root', 'cgroup2'))('limits of the engine', () => {
  const engine = new TestEngine()
  const succeed = (...args: string[]) => engine.succeed(args)
  const inspect = (name: string, path: string) => succeed('inspect', '-f', `{{${path}}}`, name)
  const cgroupOf = (name: string) =>
    join(
      '/sys/fs/cgroup',
      readFileSync(`/proc/${inspect(name, '.State.Pid')}/cgroup`, 'utf8')
        .trim()
        .slice(3),
    )
  const read = (name: string, file: string) =>
    readFileSync(join(cgroupOf(name), file), 'utf8').trim()

  beforeAll(() => engine.loadBusybox())
  afterEach(() => {
    const ids = succeed('ps', '-aq')
      .split('\n')
      .filter((id) => id !== '')
    if (ids.length > 0) succeed('rm', '-f', ...ids)
  })
  afterAll(async () => {
    expect(await engine.settled()).toEqual([])
    engine[Symbol.dispose]()
  })

  it('are those of run, and update changes them, for the next start too', () => {
    const limits = ['-m', '64m', '--memory-swap', '96m', '--cpus', '0.5', '--pids-limit', '20']
    succeed('run', '-d', '--name', 'box', ...limits, '-c', '512', 'busybox', 'sleep', '1000')
    expect(read('box', 'memory.max')).toBe(String(64 * MEBIBYTE))
    expect(read('box', 'memory.swap.max')).toBe(String(32 * MEBIBYTE))
    expect(read('box', 'cpu.max')).toBe('50000 100000')
    expect(read('box', 'pids.max')).toBe('20')
    const weight = read('box', 'cpu.weight')
    succeed('update', '-m', '128m', '--memory-swap', '128m', '--cpus', '1.5', '-c', '1024', 'box')
    succeed('update', '--pids-limit', '40', 'box')
    const holds = () => {
      expect(read('box', 'memory.max')).toBe(String(128 * MEBIBYTE))
      expect(read('box', 'memory.swap.max')).toBe('0')
      expect(read('box', 'cpu.max')).toBe('150000 100000')
      expect(read('box', 'pids.max')).toBe('40')
      expect(Number(read('box', 'cpu.weight'))).toBeGreaterThan(Number(weight))
    }
    holds()
    succeed('restart', '-t', '0', 'box')
    holds()
    expect(inspect('box', '.HostConfig.Memory')).toBe(String(128 * MEBIBYTE))
    expect(inspect('box', '.HostConfig.NanoCpus')).toBe('1500000000')
    expect(inspect('box', '.HostConfig.PidsLimit')).toBe('40')
  })

  it('that the kernel refuses are not kept', () => {
    succeed('run', '-d', '--name', 'box', '-m', '64m', 'busybox', 'sleep', '1000')
    const { status, stderr } = engine.run(['update', '--cpuset-cpus', '999', 'box'])
    expect(status).not.toBe(0)
    expect(stderr).toMatch(/^tsrun: .*cpuset/)
    expect(inspect('box', '.HostConfig.CpusetCpus')).toBe('')
    succeed('restart', '-t', '0', 'box')
    expect(read('box', 'memory.max')).toBe(String(64 * MEBIBYTE))
  })

  it('of memory end the container, which inspect, ps and events say', () => {
    const begin = new Date(Date.now() - 1000).toISOString()
    const run = ['run', '--name', 'fat', '-m', '16m', '--memory-swap', '16m', 'busybox']
    const { status } = engine.run([...run, 'sh', '-c', HUNGRY])
    expect(status).toBe(137)
    expect(inspect('fat', '.State.OOMKilled')).toBe('true')
    expect(inspect('fat', '.State.ExitCode')).toBe('137')
    expect(inspect('fat', '.State.Error')).toContain('memory')
    const past = ['events', '--since', begin, '--until', '0s', '--format', '{{.Action}}']
    expect(succeed(...past, '-f', 'container=fat').split('\n')).toEqual(
      expect.arrayContaining(['oom', 'die']),
    )
  })

  it('of processes hold in the container', () => {
    const forks = 'for i in 1 2 3 4 5 6 7 8; do sleep 100 & done; wait'
    const { stderr } = engine.run([
      'run',
      '--rm',
      '--pids-limit',
      '4',
      'busybox',
      'sh',
      '-c',
      forks,
    ])
    expect(stderr).toContain("can't fork")
  })

  it('stand in stats, with what is used', () => {
    succeed(
      'run',
      '-d',
      '--name',
      'box',
      '-m',
      '64m',
      '--pids-limit',
      '20',
      'busybox',
      'sleep',
      '1000',
    )
    const stats = JSON.parse(
      succeed('stats', '--no-stream', '--format', 'json', 'box').split('\n')[0] ?? '',
    )
    expect(stats).toMatchObject({ Name: 'box', PIDs: 1 })
    expect(stats.MemUsage).toMatch(/ \/ 64MiB$/)
    expect(stats.MemPerc).toMatch(/^\d+\.\d\d%$/)
  })
})
