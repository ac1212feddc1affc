/** Turns the conditional rules of a system call into instructions. */
import {
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  type BpfAssembler,
  type JumpOpcode,
  type Label,
  OFFSET_ARGUMENTS,
} from './bpf.ts'
import type { Condition } from './conditions.ts'
import type { RuleNode } from './rule-tree.ts'

/** One comparison of one 32-bit word of seccomp_data. */
interface Test {
  readonly opcode: JumpOpcode
  readonly offset: number
  readonly mask: number
  readonly operand: number
}

/** Code that ends in a verdict. When it begins with a test, jumps may know the outcome or have the word loaded. */
interface Block {
  readonly label: Label
  readonly branch?: {
    readonly test: Test
    /** Where the comparison itself stands, behind the load. */
    readonly loaded: Label
    readonly ifTrue: Block
    readonly ifFalse: Block
  }
}

/** Outcomes of tests on the way to a place. */
interface Known {
  readonly test: Test
  readonly outcome: boolean
  readonly before: Known | undefined
}

const ALL_BITS = 0xffff_ffff

/** Code that decides by the rules of `level`, and by `otherwise` when none holds. */
export function assembleRules(
  assembler: BpfAssembler,
  level: readonly RuleNode[],
  otherwise: number,
): Label {
  return assembleLevel(assembler, level, { label: assembler.ret(otherwise) }, undefined).label
}

function assembleLevel(
  assembler: BpfAssembler,
  level: readonly RuleNode[],
  otherwise: Block,
  known: Known | undefined,
): Block {
  return level.reduceRight<Block>((next, { condition, action, below }) => {
    const match =
      action === undefined
        ? assembleLevel(assembler, below, next, knownWhenEqual(condition, known))
        : { label: assembler.ret(action) }
    return assembleCondition(assembler, condition, match, next, known)
  }, otherwise)
}

function assembleCondition(
  assembler: BpfAssembler,
  condition: Condition,
  match: Block,
  next: Block,
  known: Known | undefined,
): Block {
  switch (condition.comparison) {
    case 'eq':
      return assembleEqual(assembler, condition, match, next, known)
    case 'ne':
      return assembleEqual(assembler, condition, next, match, known)
    case 'gt':
      return assembleGreater(assembler, condition, BPF_JGT, match, next, known)
    case 'ge':
      return assembleGreater(assembler, condition, BPF_JGE, match, next, known)
    case 'le':
      return assembleGreater(assembler, condition, BPF_JGT, next, match, known)
    case 'lt':
      return assembleGreater(assembler, condition, BPF_JGE, next, match, known)
  }
}

function assembleEqual(
  assembler: BpfAssembler,
  condition: Condition,
  ifTrue: Block,
  ifFalse: Block,
  known: Known | undefined,
): Block {
  const high = highTest(condition, BPF_JEQ)
  const whenHigh = condition.maskHigh === 0 ? known : { test: high, outcome: true, before: known }
  const low =
    condition.maskLow === 0
      ? ifTrue
      : assembleTest(assembler, lowTest(condition, BPF_JEQ), ifTrue, ifFalse, whenHigh)
  if (condition.maskHigh === 0) return low
  return assembleTest(assembler, high, low, ifFalse, known)
}

/** argument > value: the upper half is greater, or it is equal and the lower half is greater. */
function assembleGreater(
  assembler: BpfAssembler,
  condition: Condition,
  opcode: typeof BPF_JGT | typeof BPF_JGE,
  ifTrue: Block,
  ifFalse: Block,
  known: Known | undefined,
): Block {
  const equal = highTest(condition, BPF_JEQ)
  const narrow = condition.maskHigh === 0
  const whenEqual = narrow ? known : { test: equal, outcome: true, before: known }
  const low = assembleTest(assembler, lowTest(condition, opcode), ifTrue, ifFalse, whenEqual)
  if (narrow) return low
  // Nothing is below zero: an upper half that is not zero is greater.
  if (condition.high === 0) return assembleTest(assembler, equal, low, ifTrue, known)
  const greater = highTest(condition, BPF_JGT)
  const whenNotGreater = { test: greater, outcome: false, before: known }
  const notGreater = assembleTest(assembler, equal, low, ifFalse, whenNotGreater)
  return assembleTest(assembler, greater, ifTrue, notGreater, known)
}

function assembleTest(
  assembler: BpfAssembler,
  test: Test,
  ifTrue: Block,
  ifFalse: Block,
  known: Known | undefined,
): Block {
  const outcome = foresee(test, known)
  if (outcome !== undefined) return outcome ? ifTrue : ifFalse
  const yes = follow(ifTrue, { test, outcome: true, before: known })
  const no = follow(ifFalse, { test, outcome: false, before: known })
  if (yes.label === no.label) return yes
  const loaded = assembler.jump(test.opcode, test.operand, entry(yes, test), entry(no, test))
  const masked = test.mask === ALL_BITS ? loaded : assembler.and(test.mask, loaded)
  const label = assembler.load(test.offset, masked)
  return { label, branch: { test, loaded, ifTrue, ifFalse } }
}

/** Where `block` leads when what is `known` decides its first tests. */
function follow(block: Block, known: Known): Block {
  const { branch } = block
  if (branch === undefined) return block
  const outcome = foresee(branch.test, known)
  if (outcome === undefined) return block
  return follow(outcome ? branch.ifTrue : branch.ifFalse, known)
}

/** Where to jump from `test`: behind the load when the same word is tested again. */
function entry({ label, branch }: Block, test: Test): Label {
  return branch !== undefined && isSameWord(branch.test, test) ? branch.loaded : label
}

/** The outcome of `test` where it follows from `known`. */
function foresee(test: Test, known: Known | undefined): boolean | undefined {
  let [least, most] = [0, test.mask]
  for (let fact = known; fact !== undefined; fact = fact.before) {
    if (!isSameWord(fact.test, test)) continue
    const { opcode, operand } = fact.test
    if (opcode === BPF_JEQ) {
      if (fact.outcome) [least, most] = [Math.max(least, operand), Math.min(most, operand)]
      else if (test.opcode === BPF_JEQ && test.operand === operand) return false
    } else {
      const first = opcode === BPF_JGT ? operand + 1 : operand
      if (fact.outcome) least = Math.max(least, first)
      else most = Math.min(most, first - 1)
    }
  }
  return decide(test, least, most)
}

/** The outcome of `test` when its word is between `least` and `most`. */
function decide({ opcode, operand }: Test, least: number, most: number): boolean | undefined {
  if (opcode === BPF_JEQ) {
    if (operand < least || operand > most) return false
    return least === most ? true : undefined
  }
  const first = opcode === BPF_JGT ? operand + 1 : operand
  if (least >= first) return true
  return most < first ? false : undefined
}

/** What is known below a condition that held. */
function knownWhenEqual(condition: Condition, known: Known | undefined): Known | undefined {
  if (condition.comparison !== 'eq') return known
  let result = known
  if (condition.maskHigh !== 0)
    result = { test: highTest(condition, BPF_JEQ), outcome: true, before: result }
  if (condition.maskLow !== 0)
    result = { test: lowTest(condition, BPF_JEQ), outcome: true, before: result }
  return result
}

function isSameWord(a: Test, b: Test): boolean {
  return a.offset === b.offset && a.mask === b.mask
}

/** Both supported kernels are little endian: the lower half of an argument comes first. */
function lowTest(condition: Condition, opcode: JumpOpcode): Test {
  const offset = OFFSET_ARGUMENTS + condition.argument * 8
  return { opcode, offset, mask: condition.maskLow, operand: condition.low }
}

function highTest(condition: Condition, opcode: JumpOpcode): Test {
  const offset = OFFSET_ARGUMENTS + condition.argument * 8 + 4
  return { opcode, offset, mask: condition.maskHigh, operand: condition.high }
}
