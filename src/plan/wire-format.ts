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
import type { Condition, Instruction, Operand, Operator } from './instruction.ts'
import type { Architecture, Plan } from './plan.ts'

export const PLAN_MAGIC = 0x50525354
export const PLAN_VERSION = 1
export const MAX_PLAN_LENGTH = 256 * 2 ** 20
export const HEADER_SIZE = 32
export const INSTRUCTION_SIZE = 72
export const RELOCATION_SIZE = 8
export const NO_SLOT = 0xffff
export const TOLERATE_ALL = 0xffff
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
  const image = Buffer.alloc(layout.total)
  const view = new DataView(image.buffer, image.byteOffset, image.length)
  encodeHeader(view, plan, layout)
  let at = HEADER_SIZE
  for (const instruction of plan.instructions) {
    encodeInstruction(view, at, instruction, plan.architecture)
    at += INSTRUCTION_SIZE
  }
  plan.relocations.forEach(({ at, target }, i) => {
    view.setUint32(layout.relocations + i * RELOCATION_SIZE, at, true)
    view.setUint32(layout.relocations + i * RELOCATION_SIZE + 4, target, true)
  })
  image.set(plan.data, layout.data)
  return image
}

function encodeHeader(view: DataView, plan: Plan, layout: PlanLayout): void {
  view.setUint32(0, PLAN_MAGIC, true)
  view.setUint16(4, PLAN_VERSION, true)
  view.setUint16(6, plan.slots.length, true)
  view.setUint32(8, layout.total, true)
  view.setUint32(12, plan.instructions.length, true)
  view.setUint32(16, plan.relocations.length, true)
  view.setUint32(20, plan.data.length, true)
  view.setUint16(24, plan.descriptors.length, true)
}

function encodeInstruction(
  view: DataView,
  at: number,
  instruction: Instruction,
  architecture: Architecture,
): void {
  view.setUint8(at, OPCODES[instruction.op])
  view.setUint8(at + 1, auxOf(instruction))
  view.setUint16(
    at + 2,
    'result' in instruction && instruction.result ? instruction.result.index : NO_SLOT,
    true,
  )
  if (instruction.op === 'sys') {
    view.setUint16(at + 10, numberOf(architecture, instruction.name), true)
    encodeTolerated(view, at + 12, instruction.tolerate)
  }
  const operands = operandsOf(instruction)
  if (operands.length > MAX_OPERANDS)
    throw new RangeError(`${operands.length} operands in one instruction`)
  let i = 0
  for (const operand of operands) {
    encodeOperand(view, at + 4 + i, at + 24 + i * 8, operand)
    i++
  }
}

function numberOf(architecture: Architecture, name: string): number {
  const number = syscallNumber(architecture, name)
  if (number === undefined) throw new RangeError(`${architecture} has no system call ${name}`)
  return number
}

function auxOf(instruction: Instruction): number {
  switch (instruction.op) {
    case 'branch':
      return CONDITIONS[instruction.condition]
    case 'compute':
      return OPERATORS[instruction.operator]
    case 'load':
    case 'store':
      return instruction.width
    default:
      return 0
  }
}

function operandsOf(instruction: Instruction): readonly Operand[] {
  switch (instruction.op) {
    case 'sys':
      return instruction.args
    case 'branch':
      return [instruction.left, instruction.right, instruction.target]
    case 'compute':
      return [instruction.left, instruction.right]
    case 'load':
      return [instruction.from]
    case 'store':
      return [instruction.to, instruction.value]
    case 'fail':
      return [instruction.error]
    case 'exit':
      return [instruction.status]
    case 'extend':
      return [instruction.from]
  }
}

function encodeTolerated(view: DataView, at: number, tolerate: readonly string[]): void {
  if (tolerate.length > MAX_TOLERATED) throw new RangeError(`${tolerate.length} tolerated errnos`)
  tolerate.forEach((name, i) => {
    view.setUint16(at + i * 2, name === '*' ? TOLERATE_ALL : errnoNumber(name), true)
  })
}

function encodeOperand(view: DataView, kindAt: number, valueAt: number, operand: Operand): void {
  if (typeof operand === 'number') {
    if (!Number.isSafeInteger(operand)) throw new RangeError(`the operand ${operand}`)
    // The common case without BigInt: two halves of the two's complement.
    view.setInt32(valueAt, operand | 0, true)
    view.setInt32(valueAt + 4, Math.floor(operand / 2 ** 32) | 0, true)
  } else if (typeof operand === 'bigint') {
    view.setBigInt64(valueAt, BigInt.asIntN(64, operand), true)
  } else if (operand.kind === 'slot') {
    view.setUint8(kindAt, 1)
    view.setUint32(valueAt, operand.index, true)
  } else {
    view.setUint8(kindAt, 2)
    view.setUint32(valueAt, operand.offset, true)
    view.setUint32(valueAt + 4, operand.length, true)
  }
}
