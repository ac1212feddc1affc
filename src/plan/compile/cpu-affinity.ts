/** process.execCPUAffinity (sched_setaffinity(2)), and the affinity of a process whose config names none. */
import { bitMask } from '../../linux/bit-list.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import type { ProcessContext } from './create-context.ts'

/** NR_CPUS of the largest kernels; sched_setaffinity(2) ignores the rest of a mask. */
const EVERY_CPU = 8192

/** In the launcher of an exec, before anything enters the container's cgroup. */
export function emitInitialAffinity(c: ProcessContext): void {
  emitAffinity(c.b, 'initial', c.process.execCPUAffinity?.initial ?? '')
}

/**
 * Once the process of an exec is in the container's cgroup. With `initial` alone the kernel decides what
 * becomes of it (runtime-spec config.md).
 */
export function emitFinalAffinity(c: ProcessContext): void {
  const { initial = '', final = '' } = c.process.execCPUAffinity ?? {}
  if (initial === '' && final === '') emitResetAffinity(c.b)
  emitAffinity(c.b, 'final', final)
}

/** Every CPU that the cgroup allows, now and later: not those that the caller happened to be bound to. */
export function emitResetAffinity(b: PlanBuilder): void {
  b.at('cpu affinity', () =>
    b.run(
      'sched_setaffinity',
      [0, EVERY_CPU / 8, b.bytes(new Uint8Array(EVERY_CPU / 8).fill(0xff))],
      {
        // Without CPUs in common with the cgroup or an isolated set there is nothing better to do.
        tolerate: ['*'],
      },
    ),
  )
}

function emitAffinity(b: PlanBuilder, key: 'initial' | 'final', cpus: string): void {
  if (cpus === '') return
  const mask = bitMask(cpus)
  b.at(`/process/execCPUAffinity/${key}`, () =>
    b.run('sched_setaffinity', [0, mask.length, b.bytes(mask)], { note: `CPUs ${cpus}` }),
  )
}
