/** Starts tsrun-init on any bytes and tells how it ended: what the tests of the executor share. */
import { readdirSync, readFileSync } from 'node:fs'
import { type Child, sealedExecutable, startExecutable } from '../../src/native/executor.ts'
import { type ExecutorEvent, receiveEventSync } from '../../src/native/executor-protocol.ts'
import { hostArchitecture } from '../../src/native/library.ts'
import { OwnedFd } from '../../src/native/owned-fd.ts'
import { type ExitStatus, reap, sealedMemfd, seqpacketPair } from '../../src/native/syscalls.ts'
import { PlanBuilder } from '../../src/plan/plan-builder.ts'
import { encodePlan } from '../../src/plan/wire-format.ts'

/** A plan for this machine whose slot 0 is the report socket. */
export function newPlan() {
  const b = new PlanBuilder(hostArchitecture())
  return { b, report: b.descriptor('report') }
}

export interface RunningInit extends Disposable {
  readonly child: Child
  readonly report: OwnedFd
}

/**
 * Starts tsrun-init on `image` with `wanted` as 0, 1, …; the image and the report socket follow, then
 * `handed`.
 */
export function startInit(
  image: Uint8Array,
  wanted: readonly number[] = [0, 1, 2],
  handed: readonly number[] = [],
): RunningInit {
  using plan = sealedMemfd('test-plan', image, false)
  const [ours, theirs] = seqpacketPair()
  using closing = theirs
  using abandoned = ours
  const child = startExecutable(
    sealedExecutable('tsrun-init').fd,
    ['tsrun-init', String(wanted.length)],
    [...wanted, plan.fd, closing.fd, ...handed],
  )
  const report = new OwnedFd(abandoned.release())
  return {
    child,
    report,
    [Symbol.dispose]() {
      report.close()
      child.pidfd.close()
    },
  }
}

/** Runs `plan` to its end: the record it sent, or `end`, and how it exited. */
export function runInit(
  plan: PlanBuilder | Uint8Array,
  handed: readonly number[] = [],
): { event: ExecutorEvent; exit: ExitStatus | undefined } {
  const image = plan instanceof PlanBuilder ? encodePlan(plan.finish()) : plan
  using init = startInit(image, [0, 1, 2], handed)
  const event = receiveEventSync(init.report.fd)
  const exit = reap(init.child.pidfd.fd, true)
  return { event, exit }
}

/** The numbers of the open descriptors of `pid`, in order. */
export function descriptorsOf(pid: number | 'self' = 'self'): number[] {
  return readdirSync(`/proc/${pid}/fd`)
    .map(Number)
    .sort((a, b) => a - b)
}

/** A field of /proc/<pid>/status. */
export function statusField(pid: number | 'self', field: string): string {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  return new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? ''
}

/** Pids of this process's children, zombies too. */
export function children(): string[] {
  return readdirSync('/proc/self/task')
    .flatMap((task) => readFileSync(`/proc/self/task/${task}/children`, 'latin1').split(' '))
    .filter((pid) => pid !== '')
    .sort()
}
