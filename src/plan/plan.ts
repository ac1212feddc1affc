/** A compiled program for the executor: frozen instructions, their data and their slots. */
import type { Instruction, Slot } from './instruction.ts'

export type Architecture = 'x86_64' | 'aarch64'

/** `data[at .. at+8]` becomes the address of `data[target]` when the plan is loaded. */
export interface Relocation {
  readonly at: number
  readonly target: number
}

/** The plan is the lingua franca: an instruction is a serialised system call; modules emit or consume them. */
export interface Plan {
  readonly architecture: Architecture
  readonly instructions: readonly Instruction[]
  readonly slots: readonly Slot[]
  /** The first slots: descriptors handed over by the starter, in this order; slot 0 is the report socket. */
  readonly descriptors: readonly string[]
  readonly data: Uint8Array
  readonly relocations: readonly Relocation[]
}

/** Note of the `fail` whose error is the wait status of a hook, and no errno. */
export const HOOK_STATUS = 'hook status'
