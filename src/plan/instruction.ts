/** The one union of plan instructions: a system call, or a flow step that system calls alone cannot say. */

/** A working register of the executor. It starts as -1, or as a handed-over descriptor. */
export interface Slot {
  readonly kind: 'slot'
  readonly index: number
  /** For people: what `tsrun explain` prints. */
  readonly name: string
}

/** Bytes of the plan's data segment; as an operand, their address. */
export interface DataRef {
  readonly kind: 'data'
  readonly offset: number
  /** How many bytes from `offset` on the instruction may touch; the loader holds it against the segment. */
  readonly length: number
}

export type Operand = number | bigint | Slot | DataRef

/** Signed 64-bit comparisons. */
export type Condition = 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge'

export type Operator = 'set' | 'add' | 'sub' | 'and' | 'or' | 'shl' | 'shr'

export type Width = 1 | 2 | 4 | 8

interface Common {
  /** JSON pointer into config.json (or a word such as `gate`) that caused this instruction. */
  readonly origin: string
  /** What the instruction is for, where the call alone does not say. */
  readonly note?: string | undefined
}

export interface SysInstruction extends Common {
  readonly op: 'sys'
  /** The system call, named as its man page. */
  readonly name: string
  readonly args: readonly Operand[]
  readonly result?: Slot | undefined
  /** errno names that count as success; `*` alone means each. The slot then holds -errno. */
  readonly tolerate: readonly string[]
}

export interface BranchInstruction extends Common {
  readonly op: 'branch'
  readonly condition: Condition
  readonly left: Operand
  readonly right: Operand
  /** Index of the instruction to go on with: always greater than this one's. */
  readonly target: number
}

export interface ComputeInstruction extends Common {
  readonly op: 'compute'
  readonly operator: Operator
  readonly result: Slot
  readonly left: Operand
  readonly right: Operand
}

export interface LoadInstruction extends Common {
  readonly op: 'load'
  readonly width: Width
  readonly result: Slot
  readonly from: DataRef
}

export interface StoreInstruction extends Common {
  readonly op: 'store'
  readonly width: Width
  readonly to: DataRef
  readonly value: Operand
}

export interface FailInstruction extends Common {
  readonly op: 'fail'
  /** An errno, positive or negative. */
  readonly error: Operand
}

export interface ExitInstruction extends Common {
  readonly op: 'exit'
  readonly status: Operand
}

/** The plan goes on in a longer one, of which it is the beginning: its first calls are made meanwhile. */
export interface ExtendInstruction extends Common {
  readonly op: 'extend'
  /** Descriptor of the file that holds the longer plan. */
  readonly from: Operand
}

/**
 * clone3(2) of a child that goes on behind this in the same memory, with data and slots of its own: no page
 * table is copied, and nobody's first write to a page takes a fault.
 */
export interface CloneInstruction extends Common {
  readonly op: 'clone'
  /** struct clone_args, without a stack: the executor has one. */
  readonly args: DataRef
  /** Holds the pid, and 0 in the child. */
  readonly result: Slot
}

export type Instruction =
  | SysInstruction
  | BranchInstruction
  | ComputeInstruction
  | LoadInstruction
  | StoreInstruction
  | FailInstruction
  | ExitInstruction
  | ExtendInstruction
  | CloneInstruction

/** The system call that `instruction` makes, empty for a flow step. */
export function callOf(instruction: Instruction): string {
  if (instruction.op === 'sys') return instruction.name
  return instruction.op === 'clone' ? 'clone3' : ''
}
