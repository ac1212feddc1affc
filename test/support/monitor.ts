/** A monitor of its own for a test, around a shell script instead of a container. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MonitorLaunch, type MonitorOptions } from '../../src/monitor/launch-monitor.ts'
import { reapLauncher, receiveEventSync } from '../../src/native/executor-protocol.ts'
import { hostArchitecture } from '../../src/native/library.ts'
import type { OwnedFd } from '../../src/native/owned-fd.ts'
import { hasEnded, pidfdOpen, pidfdSendSignal, waitReadable } from '../../src/native/syscalls.ts'
import { emitSync } from '../../src/plan/compile/report-records.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { PlanBuilder } from '../../src/plan/plan-builder.ts'

/** A plan with just what the monitor sees of a container: a launcher that leaves its child behind. */
export function shellPlan(script: string, { isCheck = false } = {}): Plan {
  const plan = new PlanBuilder(hostArchitecture())
  const report = plan.descriptor('report')
  if (isCheck) plan.descriptor('container')
  const SIGCHLD = 17
  const child = plan.label()
  const pid = plan.sys('clone', [SIGCHLD, 0, 0, 0, 0])
  plan.branch(pid, 'eq', 0, child)
  const record = plan.bytes(Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]))
  plan.store(4, record, 8, pid)
  plan.run('sendto', [report, record, 16, 0, 0, 0])
  plan.exit(0)
  plan.place(child)
  if (isCheck) {
    plan.run('setsid', [])
    emitSync(plan, report, 'ready')
    const CLOSE_RANGE_CLOEXEC = 4
    plan.run('close_range', [3, 0xffffffff, CLOSE_RANGE_CLOEXEC])
  }
  plan.run('execve', [
    plan.string('/bin/sh'),
    plan.stringArray(['sh', '-c', script]),
    plan.stringArray(['PATH=/usr/bin:/bin']),
  ])
  return plan.finish()
}

export type LaunchedMonitor = ReturnType<TestMonitors['launch']>

/** Monitors in one folder; all that was started ends with {@link TestMonitors.end}. */
export class TestMonitors {
  readonly #outer = mkdtempSync(join(tmpdir(), 'tsrun-monitor-'))
  readonly #endings: (() => void)[] = []
  directory = this.#outer

  launch(script: string, options: Partial<MonitorOptions> = {}) {
    const monitor = new MonitorLaunch({
      directory: this.directory,
      logFile: 'log',
      terminal: false,
      input: false,
      inputOnce: false,
      rows: 0,
      columns: 0,
      cleanup: ['/bin/touch', join(this.directory, 'cleaned')],
      ...options,
    })
    const session = monitor.start(shellPlan(script), { stdio: monitor.stdio, descriptors: [] })
    const event = receiveEventSync(session.report.fd)
    if (event.type !== 'pid') throw new Error(`unexpected ${event.type}`)
    reapLauncher(session.launcher.pid)
    session[Symbol.dispose]()
    this.#endings.push(() => monitor[Symbol.dispose]())
    const pidfd = this.#killedAtTheEnd(monitor.pid)
    this.#killedAtTheEnd(event.pid)
    return { monitor, pid: event.pid, pidfd }
  }

  /** As {@link launch}, and says that the container runs. */
  start(script: string, options: Partial<MonitorOptions> = {}): LaunchedMonitor {
    const run = this.launch(script, options)
    run.monitor.created(run.pid)
    run.monitor.started()
    return run
  }

  waitForEnd({ monitor, pidfd }: LaunchedMonitor): void {
    monitor[Symbol.dispose]()
    if (pidfd !== undefined && !waitReadable(pidfd.fd, 60_000))
      throw new Error('the monitor does not end')
  }

  /** The lines of a file of the log, without their times. */
  logText(name = 'log'): string[] {
    return readFileSync(join(this.directory, name), 'latin1')
      .split('\n')
      .map((line) => line.replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z /, ''))
  }

  end(): void {
    for (const end of this.#endings.splice(0)) end()
    rmSync(this.#outer, { recursive: true })
  }

  // A pidfd of the process, undefined when it is gone already.
  #killedAtTheEnd(pid: number): OwnedFd | undefined {
    const pidfd = pidfdOpen(pid)
    if (pidfd === undefined) return undefined
    this.#endings.push(() => {
      if (!hasEnded(pidfd.fd)) pidfdSendSignal(pidfd.fd, 9)
      pidfd.close()
    })
    return pidfd
  }
}
