/** A process that does nothing: a scope of systemd must have one before the container's own is there. */
import { PlanBuilder } from '../plan/plan-builder.ts'
import { startPlan } from './executor.ts'
import { hostArchitecture } from './library.ts'
import { hasEnded, pidfdSendSignal, reap } from './syscalls.ts'

const SIGKILL = 9

export interface HeldProcess extends Disposable {
  readonly pid: number
}

/** Starts one. It is gone when it has been disposed, and ends when this process ends, however it does. */
export function holdProcess(): HeldProcess {
  const builder = new PlanBuilder(hostArchitecture())
  const report = builder.descriptor('report')
  builder.run('read', [report, builder.zeros(8), 8], { tolerate: ['*'] })
  builder.exit(0)
  const session = startPlan(builder.finish(), { stdio: [-1, -1, -1], descriptors: [] })
  const { pid, pidfd } = session.launcher
  let isHeld = true
  return {
    pid,
    [Symbol.dispose]() {
      if (!isHeld) return
      isHeld = false
      if (!hasEnded(pidfd.fd)) pidfdSendSignal(pidfd.fd, SIGKILL)
      // Waited for: until it is reaped its cgroup counts it.
      reap(pidfd.fd, true)
      session[Symbol.dispose]()
    },
  }
}
