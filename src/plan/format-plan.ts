/** Prints a plan as strace(1) would: what `tsrun explain` shows and the golden tests compare. */
import { decodeStruct, flagNames } from './format-structs.ts'
import type { Condition, DataRef, Instruction, Operand, Operator } from './instruction.ts'
import type { Plan } from './plan.ts'
import { type ArgumentKind, SYSCALL_ARGUMENTS } from './syscall-arguments.ts'

const CONDITION_SIGNS: Readonly<Record<Condition, string>> = {
  eq: '==',
  ne: '!=',
  lt: '<',
  le: '<=',
  gt: '>',
  ge: '>=',
}

const OPERATOR_SIGNS: Readonly<Record<Operator, string>> = {
  set: '',
  add: '+',
  sub: '-',
  and: '&',
  or: '|',
  shl: '<<',
  shr: '>>',
}

const STRING_LIMIT = 120

export interface FormatOptions {
  /** Mark this instruction: where a plan failed. */
  readonly failedAt?: number
}

/** One line an instruction: number, call with decoded operands, tolerated errnos, origin. */
export function formatPlan(plan: Plan, options: FormatOptions = {}): string {
  const targets = new Set(
    plan.instructions.flatMap((instruction) =>
      instruction.op === 'branch' ? [instruction.target] : [],
    ),
  )
  const used = resultsRead(plan)
  const lines = plan.instructions.map((instruction, pc) => {
    const mark = options.failedAt === pc ? '→' : targets.has(pc) ? ':' : ' '
    const text = formatInstruction(plan, instruction, used)
    const origin =
      instruction.note === undefined
        ? instruction.origin
        : `${instruction.origin} (${instruction.note})`
    return `${String(pc).padStart(4)}${mark} ${text}${origin === '' ? '' : `  # ${origin}`}`
  })
  const head = `# ${plan.architecture}, ${plan.instructions.length} instructions, ${plan.data.length} bytes of data`
  const descriptors =
    plan.descriptors.length === 0 ? '' : `, descriptors: ${plan.descriptors.join(' ')}`
  return `${head}${descriptors}\n${lines.join('\n')}\n`
}

function resultsRead(plan: Plan): ReadonlySet<number> {
  const read = new Set<number>()
  for (const instruction of plan.instructions) {
    for (const operand of operandsRead(instruction)) {
      if (typeof operand === 'object' && operand.kind === 'slot') read.add(operand.index)
    }
  }
  return read
}

function operandsRead(instruction: Instruction): readonly Operand[] {
  switch (instruction.op) {
    case 'sys':
      return instruction.args
    case 'branch':
    case 'compute':
      return [instruction.left, instruction.right]
    case 'store':
      return [instruction.value]
    case 'fail':
      return [instruction.error]
    case 'exit':
      return [instruction.status]
    case 'extend':
      return [instruction.from]
    case 'load':
    case 'clone':
      return []
  }
}

function formatInstruction(
  plan: Plan,
  instruction: Instruction,
  used: ReadonlySet<number>,
): string {
  switch (instruction.op) {
    case 'sys':
      return formatSys(plan, instruction, used)
    case 'branch': {
      const always =
        instruction.left === 0 && instruction.right === 0 && instruction.condition === 'eq'
      if (always) return `goto ${instruction.target}`
      const sign = CONDITION_SIGNS[instruction.condition]
      return `if ${plain(instruction.left)} ${sign} ${plain(instruction.right)} goto ${instruction.target}`
    }
    case 'compute': {
      const right =
        instruction.operator === 'set'
          ? ''
          : ` ${OPERATOR_SIGNS[instruction.operator]} ${plain(instruction.right)}`
      return `${plain(instruction.result)} = ${plain(instruction.left)}${right}`
    }
    case 'load':
      return `${plain(instruction.result)} = u${instruction.width * 8} ${plain(instruction.from)}`
    case 'store':
      return `u${instruction.width * 8} ${plain(instruction.to)} = ${plain(instruction.value)}`
    case 'fail':
      return `fail ${plain(instruction.error)}`
    case 'exit':
      return `exit ${plain(instruction.status)}`
    case 'extend':
      return `extend ${plain(instruction.from)}`
    case 'clone':
      return `clone3(${formatArgument(plan, instruction.args, 'clone_args')}) = ${plain(instruction.result)}`
  }
}

function formatSys(
  plan: Plan,
  instruction: Extract<Instruction, { op: 'sys' }>,
  used: ReadonlySet<number>,
): string {
  const kinds = SYSCALL_ARGUMENTS[instruction.name] ?? []
  const args = instruction.args.map((operand, i) =>
    formatArgument(plan, operand, kinds[i] ?? 'number'),
  )
  const call = `${instruction.name}(${args.join(', ')})`
  const result =
    instruction.result !== undefined && used.has(instruction.result.index)
      ? ` = ${plain(instruction.result)}`
      : ''
  const tolerate = instruction.tolerate.includes('*')
    ? ' [any errno]'
    : ` [${instruction.tolerate.join(' ')}]`
  return `${call}${result}${instruction.tolerate.length === 0 ? '' : tolerate}`
}

/** An operand without knowledge of the call: names for slots, `@offset` for data. */
function plain(operand: Operand): string {
  if (typeof operand !== 'object') return String(operand)
  return operand.kind === 'slot' ? `%${operand.name.replaceAll(' ', '_')}` : `@${operand.offset}`
}

function formatArgument(plan: Plan, operand: Operand, kind: ArgumentKind): string {
  if (typeof operand === 'object') {
    if (operand.kind === 'slot') return plain(operand)
    return formatData(plan, operand, kind)
  }
  if (kind === 'fd' && operand === -100) return 'AT_FDCWD'
  if (typeof operand === 'number' && typeof kind === 'object') {
    return 'flags' in kind
      ? flagNames(operand, kind.flags)
      : (kind.values[operand] ?? String(operand))
  }
  if (kind === 'mode') return `0${operand.toString(8)}`
  if (kind === 'hex') return `0x${operand.toString(16)}`
  if (kind === 'pointer' && Number(operand) === 0) return 'NULL'
  return String(operand)
}

function formatData(plan: Plan, ref: DataRef, kind: ArgumentKind): string {
  const bytes = Buffer.from(plan.data.buffer, plan.data.byteOffset + ref.offset, ref.length)
  if (kind === 'string') return quote(bytes.subarray(0, -1).toString())
  if (kind === 'text') return quote(textOf(bytes))
  if (kind === 'strings') return `[${stringsAt(plan, ref).map(quote).join(', ')}]`
  const struct = typeof kind === 'string' ? decodeStruct(plan, kind, ref, bytes) : undefined
  return struct ?? plain(ref)
}

function textOf(bytes: Buffer): string {
  const end = bytes.at(-1) === 0 ? -1 : bytes.length
  return bytes.subarray(0, end).toString()
}

function quote(text: string): string {
  return JSON.stringify(text.length > STRING_LIMIT ? `${text.slice(0, STRING_LIMIT)}…` : text)
}

/** The strings of a NULL-terminated pointer array, through the relocations that fill it. */
function stringsAt(plan: Plan, ref: DataRef): readonly string[] {
  const texts: string[] = []
  for (let at = ref.offset; at < ref.offset + ref.length - 8; at += 8) {
    const target = plan.relocations.find((relocation) => relocation.at === at)?.target
    if (target === undefined) break
    const end = plan.data.indexOf(0, target)
    texts.push(Buffer.from(plan.data.subarray(target, end)).toString())
  }
  return texts
}
