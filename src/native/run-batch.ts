/** Runs a plan in this process: one FFI call for any number of system calls. */
import { SyscallError } from '../errors.ts'
import { errnoName } from '../linux/errno.ts'
import type { DataRef, Slot } from '../plan/instruction.ts'
import type { Plan } from '../plan/plan.ts'
import { PlanBuilder } from '../plan/plan-builder.ts'
import { encodePlan, layoutOf, REFUSALS } from '../plan/wire-format.ts'
import { hostArchitecture, nativeLibrary } from './library.ts'

/** What a finished batch left behind. */
export interface BatchResult {
  /** The slot's value; -errno where the errno was tolerated. */
  value(slot: Slot): number
  /** The bytes at `ref`, as the system calls left them: a view that stays valid. */
  bytes(ref: DataRef): Buffer
}

/** A builder for a batch in this process. It must not fork, exec, or change namespaces or credentials. */
export function newBatch(): PlanBuilder {
  return new PlanBuilder(hostArchitecture())
}

/** Runs `plan` now. Throws {@link SyscallError} naming the system call that failed. */
export function runBatch(plan: Plan | PlanBuilder): BatchResult {
  const finished = plan instanceof PlanBuilder ? plan.finish() : plan
  const image = encodePlan(finished)
  throwOnFailure(finished, nativeLibrary().run(image))
  return resultOf(finished, image)
}

/** As {@link runBatch}, in a thread of libuv's pool: for calls that block. */
export async function runBatchAsync(plan: Plan | PlanBuilder): Promise<BatchResult> {
  const finished = plan instanceof PlanBuilder ? plan.finish() : plan
  const image = encodePlan(finished)
  throwOnFailure(finished, await nativeLibrary().runAsync(image))
  return resultOf(finished, image)
}

/**
 * As {@link runBatchAsync}, but a failed system call is returned beside what the batch left behind: for
 * callers that must close descriptors which the batch had opened. Slots that the batch
 * did not come to still hold -1.
 */
export async function tryRunBatchAsync(
  plan: Plan | PlanBuilder,
): Promise<{ readonly result: BatchResult; readonly failure: SyscallError | undefined }> {
  const finished = plan instanceof PlanBuilder ? plan.finish() : plan
  const image = encodePlan(finished)
  const status = await nativeLibrary().runAsync(image)
  const result = resultOf(finished, image)
  try {
    throwOnFailure(finished, status)
    return { result, failure: undefined }
  } catch (error) {
    if (error instanceof SyscallError) return { result, failure: error }
    throw error
  }
}

function throwOnFailure(plan: Plan, result: number): void {
  if (result === 0) return
  if (result < 0) throw new RangeError(`the plan is malformed: ${REFUSALS[-result] ?? result}`)
  const pc = Math.floor(result / 0x10000) - 1
  const errno = result % 0x10000
  const instruction = plan.instructions[pc]
  const name = instruction?.op === 'sys' ? instruction.name : (instruction?.op ?? 'plan')
  throw new SyscallError(name, errno, errnoName(errno), instruction?.origin || undefined)
}

function resultOf(plan: Plan, image: Buffer): BatchResult {
  const layout = layoutOf(plan)
  return {
    value: (slot) => Number(image.readBigInt64LE(layout.slots + slot.index * 8)),
    bytes: (ref) => image.subarray(layout.data + ref.offset, layout.data + ref.offset + ref.length),
  }
}
