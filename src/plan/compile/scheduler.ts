/** process.scheduler and process.ioPriority (sched_setattr(2), ioprio_set(2)). */
import { IO_PRIORITY_CLASSES, SCHEDULER_FLAGS, SCHEDULER_POLICIES } from '../../linux/scheduling.ts'
import type { Process, Scheduler } from '../../oci/runtime-config.ts'
import type { DataRef } from '../instruction.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import type { ProcessContext } from './create-context.ts'

const SCHED_ATTR_SIZE = 56 // linux/sched/types.h: SCHED_ATTR_SIZE_VER1, with the utilisation clamps
const IOPRIO_WHO_PGRP = 2
const IOPRIO_CLASS_SHIFT = 13

/**
 * Both ask for CAP_SYS_NICE in the initial user namespace, which root of another one does not have:
 * there the runtime sets them from outside, when the process is ready.
 */
export function emitScheduling(c: ProcessContext): void {
  if (c.inUserNamespace) return
  emitSchedulingOf(c.b, 0, c.process)
}

/** For the process `pid`, 0 for the caller; it leads its process group. */
export function emitSchedulingOf(b: PlanBuilder, pid: number, process: Process): void {
  const { scheduler, ioPriority } = process
  if (scheduler !== undefined) {
    b.at('/process/scheduler', () =>
      b.run('sched_setattr', [pid, schedulerAttributes(b, scheduler), 0], {
        note: scheduler.policy,
      }),
    )
  }
  if (ioPriority !== undefined) {
    const { priority = 0 } = ioPriority
    const value = ((IO_PRIORITY_CLASSES[ioPriority.class] ?? 0) << IOPRIO_CLASS_SHIFT) | priority
    // runtime-spec config.md: "applied to the entire process group".
    b.at('/process/ioPriority', () =>
      b.run('ioprio_set', [IOPRIO_WHO_PGRP, pid, value], {
        note: `${ioPriority.class} ${priority}`,
      }),
    )
  }
}

/** struct sched_attr. */
function schedulerAttributes(b: PlanBuilder, scheduler: Scheduler): DataRef {
  const attributes = Buffer.alloc(SCHED_ATTR_SIZE)
  const flags = (scheduler.flags ?? []).reduce(
    (bits, flag) => bits | (SCHEDULER_FLAGS[flag] ?? 0),
    0,
  )
  attributes.writeUInt32LE(SCHED_ATTR_SIZE, 0)
  attributes.writeUInt32LE(SCHEDULER_POLICIES[scheduler.policy] ?? 0, 4)
  attributes.writeBigUInt64LE(BigInt(flags), 8)
  attributes.writeInt32LE(scheduler.nice ?? 0, 16)
  attributes.writeUInt32LE(scheduler.priority ?? 0, 20)
  ;[scheduler.runtime, scheduler.deadline, scheduler.period].forEach((nanoseconds, i) => {
    attributes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(nanoseconds ?? 0)), 24 + i * 8)
  })
  return b.bytes(attributes)
}
