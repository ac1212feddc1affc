/**
 * The plan's wire format: twin of native-bindings/wire-format.h, which decodes what this file encodes.
 * test/native/wire-format.test.ts holds the two together.
 *
 * A plan is one little-endian image that is checked whole before its first side effect:
 *
 *   header        32 bytes
 *   instructions  72 bytes each
 *   relocations   8 bytes each: {u32 at, u32 target}: data[at] becomes the address of data[target]
 *   data          data_length bytes, padded with zeros to a multiple of 8
 *   slots         8 bytes each: working registers, -1 at the start
 *
 * The first `descriptor_count` slots start with consecutive descriptor numbers that the parent
 * handed over; slot 0 of an executed plan is the report socket. Jumps go forward only, as in
 * classic BPF, so every plan ends.
 */
import { errnoNumber } from '../linux/errno.ts'
import { syscallNumber } from '../linux/syscall-numbers.ts'
import type {
  Condition,
  Instruction,
  Operand,
  Operator,
  Slot,
  SysInstruction,
} from './instruction.ts'
import type { Architecture, Plan } from './plan.ts'

export const PLAN_MAGIC = 0x50525354
export const PLAN_VERSION = 1
export const MAX_PLAN_LENGTH = 256 * 2 ** 20
export const HEADER_SIZE = 32
export const INSTRUCTION_SIZE = 72
export const RELOCATION_SIZE = 8
export const NO_SLOT = 0xffff
export const TOLERATE_ALL = 0xffff
const KIND_SLOT = 1
const KIND_DATA = 2
export const MAX_OPERANDS = 6
export const MAX_TOLERATED = 6

export const OPCODES: Readonly<Record<Instruction['op'], number>> = {
  sys: 1,
  branch: 2,
  compute: 3,
  load: 4,
  store: 5,
  fail: 6,
  exit: 7,
  extend: 8,
  clone: 9,
}

export const CONDITIONS: Readonly<Record<Condition, number>> = {
  eq: 1,
  ne: 2,
  lt: 3,
  le: 4,
  gt: 5,
  ge: 6,
}

export const OPERATORS: Readonly<Record<Operator, number>> = {
  set: 1,
  add: 2,
  sub: 3,
  and: 4,
  or: 5,
  shl: 6,
  shr: 7,
}

export const REPORT_FAILED = 1
export const PC_REFUSED = 0xffffffff
/** Instead of an instruction: tsrun-init could not be executed. */
export const PC_NOT_STARTED = 0xfffffffe

/** Why the loader refused a plan, by its number (enum refusal in native-bindings/executor.h). */
export const REFUSALS = [
  'nothing',
  'header',
  'length',
  'opcode',
  'aux',
  'result',
  'operand',
  'target',
  'relocation',
  'reserved',
] as const

/** Where the parts of an encoded plan are, in bytes from its start. */
export interface PlanLayout {
  readonly relocations: number
  readonly data: number
  readonly slots: number
  readonly total: number
}

/** The positions of the sections of `plan` in its image. */
export function layoutOf(plan: Plan): PlanLayout {
  const relocations = HEADER_SIZE + plan.instructions.length * INSTRUCTION_SIZE
  const data = relocations + plan.relocations.length * RELOCATION_SIZE
  const slots = data + Math.ceil(plan.data.length / 8) * 8
  return { relocations, data, slots, total: slots + plan.slots.length * 8 }
}

/** The image of `plan`. Throws RangeError for what the format or the architecture does not have. */
export function encodePlan(plan: Plan): Buffer {
  const layout = layoutOf(plan)
  if (plan.slots.length >= NO_SLOT) throw new RangeError(`${plan.slots.length} slots in one plan`)
  if (layout.total > MAX_PLAN_LENGTH) throw new RangeError(`a plan of ${layout.total} bytes`)
  // Words instead of a DataView: hosts are little endian, and a plan is encoded before V8 has optimized this.
  const words = new Int32Array(layout.total / 4)
  encodeHeader(words, plan, layout)
  let at = HEADER_SIZE / 4
  for (const instruction of plan.instructions) {
    encodeInstruction(words, at, instruction, plan.architecture)
    at += INSTRUCTION_SIZE / 4
  }
  for (const { at: place, target } of plan.relocations) {
    words[at++] = place
    words[at++] = target
  }
  const image = Buffer.from(words.buffer)
  image.set(plan.data, layout.data)
  return image
}

function encodeHeader(words: Int32Array, plan: Plan, layout: PlanLayout): void {
  words[0] = PLAN_MAGIC
  words[1] = PLAN_VERSION | (plan.slots.length << 16)
  words[2] = layout.total
  words[3] = plan.instructions.length
  words[4] = plan.relocations.length
  words[5] = plan.data.length
  words[6] = plan.descriptors.length
}

/** Fills the 18 zeroed words at `at`. */
function encodeInstruction(
  words: Int32Array,
  at: number,
  instruction: Instruction,
  architecture: Architecture,
): void {
  switch (instruction.op) {
    case 'sys':
      encodeHead(words, at, OPCODES.sys, 0, instruction.result)
      encodeSys(words, at, instruction, architecture)
      break
    case 'branch':
      encodeHead(words, at, OPCODES.branch, CONDITIONS[instruction.condition], undefined)
      encodeOperand(words, at, 0, instruction.left)
      encodeOperand(words, at, 1, instruction.right)
      encodeOperand(words, at, 2, instruction.target)
      break
    case 'compute':
      encodeHead(words, at, OPCODES.compute, OPERATORS[instruction.operator], instruction.result)
      encodeOperand(words, at, 0, instruction.left)
      encodeOperand(words, at, 1, instruction.right)
      break
    case 'load':
      encodeHead(words, at, OPCODES.load, instruction.width, instruction.result)
      encodeOperand(words, at, 0, instruction.from)
      break
    case 'store':
      encodeHead(words, at, OPCODES.store, instruction.width, undefined)
      encodeOperand(words, at, 0, instruction.to)
      encodeOperand(words, at, 1, instruction.value)
      break
    case 'fail':
      encodeHead(words, at, OPCODES.fail, 0, undefined)
      encodeOperand(words, at, 0, instruction.error)
      break
    case 'exit':
      encodeHead(words, at, OPCODES.exit, 0, undefined)
      encodeOperand(words, at, 0, instruction.status)
      break
    case 'extend':
      encodeHead(words, at, OPCODES.extend, 0, undefined)
      encodeOperand(words, at, 0, instruction.from)
      break
    case 'clone':
      encodeHead(words, at, OPCODES.clone, 0, instruction.result)
      encodeOperand(words, at, 0, instruction.args)
      break
  }
}

function encodeHead(
  words: Int32Array,
  at: number,
  opcode: number,
  aux: number,
  result: Slot | undefined,
): void {
  words[at] = opcode | (aux << 8) | ((result === undefined ? NO_SLOT : result.index) << 16)
}

function encodeSys(
  words: Int32Array,
  at: number,
  { name, args, tolerate }: SysInstruction,
  architecture: Architecture,
): void {
  if (args.length > MAX_OPERANDS) throw new RangeError(`${args.length} operands in one instruction`)
  for (let i = 0; i < args.length; i++) encodeOperand(words, at, i, args[i] ?? 0)
  orInto(words, at + 2, numberOf(architecture, name) << 16)
  if (tolerate.length > MAX_TOLERATED) throw new RangeError(`${tolerate.length} tolerated errnos`)
  for (let i = 0; i < tolerate.length; i++) {
    const error = tolerate[i] === '*' ? TOLERATE_ALL : errnoNumber(tolerate[i] ?? '')
    orInto(words, at + 3 + (i >> 1), error << ((i & 1) * 16))
  }
}

function numberOf(architecture: Architecture, name: string): number {
  const number = syscallNumber(architecture, name)
  if (number === undefined) throw new RangeError(`${architecture} has no system call ${name}`)
  return number
}

/** Operand `i`: its kind is a byte of the words 1 and 2, its value the words 6 + 2i and 7 + 2i. */
function encodeOperand(words: Int32Array, at: number, i: number, operand: Operand): void {
  const value = at + 6 + 2 * i
  if (typeof operand === 'number') {
    if (!Number.isSafeInteger(operand)) throw new RangeError(`the operand ${operand}`)
    // The common case without BigInt: two halves of the two's complement.
    words[value] = operand | 0
    words[value + 1] = Math.floor(operand / 2 ** 32) | 0
  } else if (typeof operand === 'bigint') {
    words[value] = Number(BigInt.asIntN(32, operand))
    words[value + 1] = Number(BigInt.asIntN(32, operand >> 32n))
  } else if (operand.kind === 'slot') {
    orInto(words, at + 1 + (i >> 2), KIND_SLOT << ((i & 3) * 8))
    words[value] = operand.index
  } else {
    orInto(words, at + 1 + (i >> 2), KIND_DATA << ((i & 3) * 8))
    words[value] = operand.offset
    words[value + 1] = operand.length
  }
}

function orInto(words: Int32Array, at: number, bits: number): void {
  words[at] = (words[at] ?? 0) | bits
}
