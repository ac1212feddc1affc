/** What a monitor does at its own times: rotation, time limit, tethers, restarts, health checks. */

import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { attachToMonitor } from '../../src/monitor/attach-client.ts'
import { readExitRecord } from '../../src/monitor/exit-record.ts'
import { readHealth } from '../../src/monitor/health-file.ts'
import type { CheckSchedule } from '../../src/monitor/monitor-protocol.ts'
import { pidfdOpen } from '../../src/native/syscalls.ts'
import { encodePlan } from '../../src/plan/wire-format.ts'
import { shellPlan, TestMonitors } from '../support/monitor.ts'
import { until } from '../support/until.ts'

describe('tsrun-monitor', () => {
  let monitors: TestMonitors
  beforeEach(() => {
    monitors = new TestMonitors()
  })
  afterEach(() => monitors.end())

  const fileIn = (name: string) => join(monitors.directory, name)
  const exit = () => readExitRecord(monitors.directory)

  describe('the log', () => {
    const lines = 'i=0; while [ $i -lt 40 ]; do echo line $i; i=$((i+1)); done'
    const text = (name: string) => readFileSync(fileIn(name), 'latin1')

    it('is cut into files of a size, the oldest of which go', () => {
      monitors.waitForEnd(monitors.start(lines, { logMaxSize: 500, logMaxFiles: 3 }))
      const files = readdirSync(monitors.directory).filter((name) => name.startsWith('log'))
      expect(files.sort()).toEqual(['log', 'log.1', 'log.2'])
      for (const name of files) expect(text(name).length).toBeLessThanOrEqual(500)
      const kept = ['log.2', 'log.1', 'log'].flatMap((name) => monitors.logText(name).slice(0, -1))
      expect(kept.at(-1)).toBe('stdout F line 39')
      expect(kept).toEqual(kept.map((_, i) => `stdout F line ${40 - kept.length + i}`))
    })

    it('is one file when it may be one, which a reader keeps', () => {
      monitors.waitForEnd(monitors.start(lines, { logMaxSize: 500, logMaxFiles: 1 }))
      expect(readdirSync(monitors.directory).sort()).toEqual(['cleaned', 'exit', 'log'])
      expect(text('log').length).toBeLessThanOrEqual(500)
      expect(monitors.logText().at(-2)).toBe('stdout F line 39')
    })

    it('takes a piece that is longer than a file', () => {
      const script = 'echo short; head -c 2000 /dev/zero; echo; echo end'
      monitors.waitForEnd(monitors.start(script, { logMaxSize: 200, logMaxFiles: 4 }))
      expect(text('log.1').length).toBeGreaterThan(2000)
      expect(monitors.logText('log').at(-2)).toBe('stdout F end')
    })

    it('is not there without a name', () => {
      monitors.waitForEnd(monitors.start(lines, { logFile: undefined }))
      expect(readdirSync(monitors.directory).sort()).toEqual(['cleaned', 'exit'])
      expect(exit()?.logLost).toBe(0)
    })
  })

  it('kills a container whose time is over', () => {
    monitors.waitForEnd(monitors.start('sleep 1000', { timeoutMs: 100 }))
    expect(exit()).toMatchObject({ exitCode: 137, signal: 9 })
  })

  it('kills a container when a process that it is tied to ends', () => {
    const others = [spawn('sleep', ['1000']), spawn('sleep', ['1000'])]
    const tethers = others.map(({ pid = 0 }) => pidfdOpen(pid)).filter((fd) => fd !== undefined)
    const run = monitors.start('sleep 1000', { tethers })
    others[1]?.kill('SIGKILL')
    monitors.waitForEnd(run)
    others[0]?.kill('SIGKILL')
    expect(exit()).toMatchObject({ exitCode: 137, signal: 9 })
  })

  it('runs the clean-up again for as long as it asks for that', () => {
    const count = fileIn('count')
    const script = `echo x >> ${count}; [ $(wc -l < ${count}) -lt 3 ] && exit 64; exit 0`
    monitors.waitForEnd(monitors.start('exit 1', { cleanup: ['/bin/sh', '-c', script] }))
    expect(readFileSync(count, 'latin1')).toBe('x\nx\nx\n')
  })

  describe('health checks', () => {
    const every = (ms: number, more: Partial<CheckSchedule> = {}): CheckSchedule => ({
      intervalMs: ms,
      timeoutMs: 60_000,
      startPeriodMs: 0,
      startIntervalMs: ms,
      retries: 3,
      action: 'none',
      ...more,
    })
    const start = (script: string, check: CheckSchedule, container = 'sleep 1000') => {
      writeFileSync(fileIn('check.plan'), encodePlan(shellPlan(script, { isCheck: true })))
      return monitors.start(container, { check })
    }
    const health = () => readHealth(monitors.directory)
    const attach = async () => {
      const options = { output: false, patient: false, owner: false }
      const client = await attachToMonitor(monitors.directory, options)
      if (client === undefined) throw new Error('no monitor')
      return client
    }

    it('begin with starting and keep the last five with their output', async () => {
      start('echo out; echo err >&2', every(3_600_000))
      await until('the health is known', () => health() !== undefined)
      expect(health()).toEqual({ health: 'starting', failingStreak: 0, results: [] })
      using client = await attach()
      for (let i = 0; i < 6; i++)
        expect(await client.check()).toEqual({ health: 'healthy', exitCode: 0 })
      const { results = [] } = health() ?? {}
      expect(results).toHaveLength(5)
      expect(results[4]).toMatchObject({ exitCode: 0, output: 'out\nerr\n', failure: undefined })
      expect(results.map(({ start, end }) => start <= end)).not.toContain(false)
    })

    it('run by themselves at their interval and make a container unhealthy', async () => {
      start(`echo x >> ${fileIn('checks')}; exit 4`, every(50, { retries: 2 }))
      await until('it is unhealthy', () => health()?.health === 'unhealthy')
      const { failingStreak = 0, results = [] } = health() ?? {}
      expect(failingStreak).toBeGreaterThanOrEqual(2)
      expect(results.at(-1)?.exitCode).toBe(4)
    })

    it('are forgiven their failures in the start period', async () => {
      const check = every(3_600_000, { startPeriodMs: 3_600_000, startIntervalMs: 20, retries: 1 })
      start('exit 1', check)
      await until('three have failed', () => (health()?.results.length ?? 0) >= 3)
      expect(health()).toMatchObject({ health: 'starting', failingStreak: 0 })
    })

    it('are killed with all they have started when they take too long', async () => {
      start('echo begun; sleep 1001 & sleep 1001', every(3_600_000, { timeoutMs: 300, retries: 1 }))
      using client = await attach()
      expect(await client.check()).toEqual({ health: 'unhealthy', exitCode: -1 })
      expect(health()?.results[0]).toMatchObject({ failure: 'ETIMEDOUT', output: 'begun\n' })
      const sleeps = () =>
        readdirSync('/proc').filter((pid) => {
          try {
            return readFileSync(`/proc/${pid}/cmdline`, 'latin1') === 'sleep\x001001\0'
          } catch {
            // No process, or one that has just ended, ignoring.
            return false
          }
        })
      await until('all is killed', () => sleeps().length === 0)
    })

    it('keep 4096 bytes of a check that writes without end', async () => {
      start('yes', every(3_600_000, { timeoutMs: 300 }))
      using client = await attach()
      expect((await client.check())?.exitCode).toBe(-1)
      expect(health()?.results[0]?.output).toBe('y\n'.repeat(2048))
    })

    it('say why one could not run', async () => {
      monitors.start('sleep 1000', { check: every(3_600_000) })
      using client = await attach()
      expect(await client.check()).toEqual({ health: 'starting', exitCode: -1 })
      expect(health()?.results[0]).toMatchObject({ exitCode: -1, failure: 'ENOENT' })
    })

    it('stop or kill a container that has become unhealthy, where that is asked for', () => {
      const failing = every(20, { retries: 1 })
      monitors.waitForEnd(start('exit 1', { ...failing, action: 'kill' }))
      expect(exit()).toMatchObject({ exitCode: 137 })
      const trap = 'trap "exit 7" TERM; while :; do sleep 0.02; done'
      monitors.waitForEnd(start('exit 1', { ...failing, action: 'stop' }, trap))
      expect(exit()).toMatchObject({ exitCode: 7 })
    })

    it('end with the container', async () => {
      const run = start('sleep 1001', every(20))
      await until('one runs', () => health() !== undefined)
      using client = await attach()
      const asked = client.check()
      process.kill(run.pid, 'SIGKILL')
      expect(await asked).toEqual({ health: 'none', exitCode: -1 })
      monitors.waitForEnd(run)
    })
  })
})
