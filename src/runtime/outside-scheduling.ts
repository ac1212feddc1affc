/** Sets scheduler and I/O priority of a process in a user namespace, which has not the right to do it itself. */
import { SyscallError } from '../errors.ts'
import { newBatch, runBatch } from '../native/run-batch.ts'
import type { Process, RuntimeConfig } from '../oci/runtime-config.ts'
import { emitSchedulingOf } from '../plan/compile/scheduler.ts'
import { explainFailure } from './explain-failure.ts'

/** For the process `pid`, which is ready and waits. Throws a PlanError that names the field of config.json. */
export function scheduleFromOutside(pid: number, process: Process, config: RuntimeConfig): void {
  if (process.scheduler === undefined && process.ioPriority === undefined) return
  const batch = newBatch()
  emitSchedulingOf(batch, pid, process)
  const plan = batch.finish()
  try {
    runBatch(plan)
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error
    const { syscall, errno } = error
    const index = plan.instructions.findIndex(
      (instruction) => instruction.op === 'sys' && instruction.name === syscall,
    )
    throw explainFailure(plan, config, [], index, errno)
  }
}
