/** A plan interpreter in TypeScript for plans whose system calls are known: the executor's reference. */
import type { Condition, Operand, Operator } from '../../src/plan/instruction.ts'
import type { Plan } from '../../src/plan/plan.ts'

/** What a plan leaves behind: how it ended, as tsrun_run returns it, its slots and its data. */
export interface Outcome {
  readonly result: number
  readonly slots: readonly bigint[]
  readonly data: Buffer
}

const CONDITIONS: Record<Condition, (left: bigint, right: bigint) => boolean> = {
  eq: (left, right) => left === right,
  ne: (left, right) => left !== right,
  lt: (left, right) => left < right,
  le: (left, right) => left <= right,
  gt: (left, right) => left > right,
  ge: (left, right) => left >= right,
}

const OPERATORS: Record<Operator, (left: bigint, right: bigint) => bigint> = {
  set: (left) => left,
  add: (left, right) => left + right,
  sub: (left, right) => left - right,
  and: (left, right) => left & right,
  or: (left, right) => left | right,
  shl: (left, right) => left << (right & 63n),
  shr: (left, right) => BigInt.asUintN(64, left) >> (right & 63n),
}

export function holds(condition: Condition, left: bigint, right: bigint): boolean {
  return CONDITIONS[condition](left, right)
}

export function compute(operator: Operator, left: bigint, right: bigint): bigint {
  return BigInt.asIntN(64, OPERATORS[operator](left, right))
}

/** Runs `plan`; `call` answers its system calls with a result or -errno. */
export function interpret(
  plan: Plan,
  call: (name: string) => number,
  errnoNumber: (name: string) => number,
): Outcome {
  const slots = plan.slots.map((_, i) => (i < plan.descriptors.length ? BigInt(i - 1) : -1n))
  const data = Buffer.from(plan.data)
  const value = (operand: Operand): bigint => {
    if (typeof operand !== 'object') return BigInt.asIntN(64, BigInt(operand))
    if (operand.kind === 'data') throw new RangeError('the model has no addresses')
    return slots[operand.index] ?? 0n
  }
  const ended = (result: number): Outcome => ({ result, slots, data })
  let pc = 0
  while (pc < plan.instructions.length) {
    const instruction = plan.instructions[pc]
    if (instruction === undefined) throw new RangeError(`no instruction ${pc}`)
    let next = pc + 1
    switch (instruction.op) {
      case 'sys': {
        const result = call(instruction.name)
        if (instruction.result) slots[instruction.result.index] = BigInt(result)
        const { tolerate } = instruction
        const isFine = tolerate.some((name) => name === '*' || errnoNumber(name) === -result)
        if (result < 0 && !isFine) return ended((pc + 1) * 65_536 - result)
        break
      }
      case 'branch':
        if (holds(instruction.condition, value(instruction.left), value(instruction.right)))
          next = instruction.target
        break
      case 'compute':
        slots[instruction.result.index] = compute(
          instruction.operator,
          value(instruction.left),
          value(instruction.right),
        )
        break
      case 'load':
        slots[instruction.result.index] = load(data, instruction.from.offset, instruction.width)
        break
      case 'store':
        store(data, instruction.to.offset, instruction.width, value(instruction.value))
        break
      case 'fail': {
        const error = value(instruction.error)
        const isErrno = error >= -4095n && error <= 4095n
        return ended((pc + 1) * 65_536 + (isErrno ? Math.abs(Number(error)) : 22))
      }
      case 'exit':
        return ended(0)
      case 'extend':
      case 'clone':
        return ended((pc + 1) * 65_536 + errnoNumber('ENOSYS'))
    }
    pc = next
  }
  return ended(0)
}

function load(data: Buffer, offset: number, width: number): bigint {
  let loaded = 0n
  for (let i = width - 1; i >= 0; i--) loaded = (loaded << 8n) | BigInt(data[offset + i] ?? 0)
  return BigInt.asIntN(64, loaded)
}

function store(data: Buffer, offset: number, width: number, value: bigint): void {
  for (let i = 0; i < width; i++) data[offset + i] = Number((value >> BigInt(8 * i)) & 255n)
}
