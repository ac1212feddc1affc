/** Prints a filter for people: what `tsrun explain` shows of seccomp. */
import { type SyscallArchitecture, syscallName, X32_SYSCALL_BIT } from '../linux/syscall-numbers.ts'
import { SECCOMP_ACTIONS, withoutData } from './actions.ts'
import { FILTER_ARCHITECTURES } from './architectures.ts'
import {
  BPF_AND,
  BPF_INSTRUCTION_SIZE,
  BPF_JA,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JSET,
  BPF_LD_ABS,
  BPF_RET,
  OFFSET_ARCHITECTURE,
  OFFSET_ARGUMENTS,
  OFFSET_NUMBER,
} from './bpf.ts'

interface Instruction {
  readonly opcode: number
  readonly ifTrue: number
  readonly ifFalse: number
  readonly operand: number
}

/** What is known whenever an instruction is reached; undefined where ways with different facts meet. */
interface Facts {
  /** Offset in seccomp_data of what A holds. */
  readonly loaded: number | undefined
  /** AUDIT_ARCH_* of the call. */
  readonly audit: number | undefined
}

const COMPARISONS: Readonly<Record<number, string>> = {
  [BPF_JEQ]: '==',
  [BPF_JGT]: '>',
  [BPF_JGE]: '>=',
  [BPF_JSET]: '&',
}

/** One line an instruction of `program` (struct sock_filter[]), jumps with absolute targets. */
export function formatFilter(program: Uint8Array): string {
  const instructions = decode(program)
  const facts = factsOf(instructions)
  return instructions
    .map((instruction, pc) => {
      const known = facts[pc] ?? { loaded: undefined, audit: undefined }
      return `${String(pc).padStart(4)}  ${formatInstruction(instruction, pc, known)}\n`
    })
    .join('')
}

function decode(program: Uint8Array): readonly Instruction[] {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength)
  const count = Math.floor(program.byteLength / BPF_INSTRUCTION_SIZE)
  return Array.from({ length: count }, (_, i) => {
    const at = i * BPF_INSTRUCTION_SIZE
    return {
      opcode: view.getUint16(at, true),
      ifTrue: view.getUint8(at + 2),
      ifFalse: view.getUint8(at + 3),
      operand: view.getUint32(at + 4, true),
    }
  })
}

/** Jumps go forward only, so one pass sees every way to an instruction before the instruction. */
function factsOf(instructions: readonly Instruction[]): readonly (Facts | undefined)[] {
  const facts: (Facts | undefined)[] = [{ loaded: undefined, audit: undefined }]
  const reach = (pc: number, known: Facts): void => {
    const other = facts[pc]
    facts[pc] = {
      loaded: other === undefined || other.loaded === known.loaded ? known.loaded : undefined,
      audit: other === undefined || other.audit === known.audit ? known.audit : undefined,
    }
  }
  instructions.forEach(({ opcode, ifTrue, ifFalse, operand }, pc) => {
    const known = facts[pc]
    if (known === undefined || opcode === BPF_RET) return
    const next = pc + 1
    if (opcode === BPF_LD_ABS) reach(next, { ...known, loaded: operand })
    else if (opcode === BPF_JA) reach(next + operand, known)
    else if (COMPARISONS[opcode] === undefined) reach(next, known)
    else {
      const decides = opcode === BPF_JEQ && known.loaded === OFFSET_ARCHITECTURE
      reach(next + ifTrue, decides ? { ...known, audit: operand } : known)
      reach(next + ifFalse, known)
    }
  })
  return facts
}

function formatInstruction(instruction: Instruction, pc: number, known: Facts): string {
  const { opcode, ifTrue, ifFalse, operand } = instruction
  const next = pc + 1
  switch (opcode) {
    case BPF_LD_ABS:
      return `load ${fieldName(operand)}`
    case BPF_AND:
      return `and ${hex(operand)}`
    case BPF_JA:
      return `goto ${next + operand}`
    case BPF_RET:
      return `return ${formatAction(operand)}`
  }
  const sign = COMPARISONS[opcode]
  if (sign === undefined) return `unknown instruction ${hex(opcode)}`
  const field = known.loaded === undefined ? 'A' : fieldName(known.loaded)
  const test = `if ${field} ${sign} ${formatOperand(operand, known)}`
  return `${test} goto ${next + ifTrue} else ${next + ifFalse}`
}

function fieldName(offset: number): string {
  if (offset === OFFSET_NUMBER) return 'nr'
  if (offset === OFFSET_ARCHITECTURE) return 'arch'
  if (offset < OFFSET_ARGUMENTS) return offset === 8 ? 'ip.low' : 'ip.high'
  const argument = (offset - OFFSET_ARGUMENTS) >> 3
  return `args[${argument}].${offset % 8 === 0 ? 'low' : 'high'}`
}

function formatOperand(operand: number, { loaded, audit }: Facts): string {
  if (loaded === OFFSET_ARCHITECTURE) {
    const name = Object.entries(FILTER_ARCHITECTURES).find(([, { audit: a }]) => a === operand)
    return name === undefined ? hex(operand) : name[0]
  }
  if (loaded !== OFFSET_NUMBER) return hex(operand)
  const architecture = architectureOf(operand, audit)
  const name = architecture === undefined ? undefined : syscallName(architecture, operand)
  const number = operand >= X32_SYSCALL_BIT ? hex(operand) : String(operand)
  return name === undefined ? number : `${number} (${name})`
}

function architectureOf(
  number: number,
  audit: number | undefined,
): SyscallArchitecture | undefined {
  const all = Object.values(FILTER_ARCHITECTURES).filter((one) => one.audit === audit)
  const x32 = number >= X32_SYSCALL_BIT
  return all.find(({ name }) => all.length === 1 || (name === 'x32') === x32)?.name
}

function formatAction(value: number): string {
  const name = Object.entries(SECCOMP_ACTIONS).find(
    ([word, action]) => word !== 'SCMP_ACT_KILL' && action === withoutData(value),
  )
  if (name === undefined) return hex(value)
  const data = value & 0xffff
  return data === 0 ? name[0] : `${name[0]}(${data})`
}

function hex(value: number): string {
  return `0x${value.toString(16)}`
}
