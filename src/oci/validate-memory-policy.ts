/** Checks `linux.memoryPolicy` of config.json: what set_mempolicy(2) would answer with EINVAL, in words. */
import { parseBitList } from '../linux/bit-list.ts'
import { MEMORY_POLICY_FLAGS, MEMORY_POLICY_MODES } from '../linux/memory-policies.ts'
import type { JsonCursor } from './json-cursor.ts'

const MODES_WITHOUT_NODES = ['MPOL_DEFAULT', 'MPOL_LOCAL']
/** MPOL_PREFERRED without nodes means the local one. */
const MODES_THAT_NEED_NODES = [
  'MPOL_BIND',
  'MPOL_INTERLEAVE',
  'MPOL_WEIGHTED_INTERLEAVE',
  'MPOL_PREFERRED_MANY',
]

/** config-linux.md "Memory policy"; `policy` is an object. The first words of each report are runc's. */
export function checkMemoryPolicy(policy: JsonCursor): void {
  const mode = checkMode(policy.field('mode'))
  const nodes = policy.field('nodes')
  const text = nodes.string() ?? ''
  const ranges = text === '' ? [] : parseBitList(text)
  if (ranges === undefined) {
    const expected = 'it must be a list of memory nodes such as "0-3,7"'
    nodes.report(`holds invalid memory policy nodes ${JSON.stringify(text)}: ${expected}`)
  } else checkNodes(nodes, mode, countOf(ranges))
  checkFlags(policy.field('flags'))
}

function checkMode(field: JsonCursor): string | undefined {
  const text = field.string()
  if (field.present && text === undefined) return undefined
  const modes = Object.keys(MEMORY_POLICY_MODES)
  if (text !== undefined && modes.includes(text)) return text
  const expected = `it must be one of ${modes.join(', ')}`
  const given = text === undefined ? 'is required' : `must not be ${JSON.stringify(text)}`
  return field.report(`${given}, an invalid memory policy mode: ${expected}`)
}

function checkNodes(nodes: JsonCursor, mode: string | undefined, count: number): void {
  if (mode === undefined) return
  if (count > 0 && MODES_WITHOUT_NODES.includes(mode))
    nodes.report(`must be empty with ${mode}: the mode requires 0 nodes but got ${count}`)
  if (count === 0 && MODES_THAT_NEED_NODES.includes(mode))
    nodes.report(`must name a memory node with ${mode}`)
}

function countOf(ranges: readonly (readonly [number, number])[]): number {
  const listed = new Set<number>()
  for (const [first, last] of ranges) for (let node = first; node <= last; node++) listed.add(node)
  return listed.size
}

function checkFlags(flags: JsonCursor): void {
  const known = Object.keys(MEMORY_POLICY_FLAGS)
  const given = flags.items().map((flag) => checkFlag(flag, known))
  if (given.includes('MPOL_F_STATIC_NODES') && given.includes('MPOL_F_RELATIVE_NODES'))
    flags.report('must not hold both MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES')
}

function checkFlag(flag: JsonCursor, known: readonly string[]): string | undefined {
  const text = flag.string()
  if (text === undefined || known.includes(text)) return text
  return flag.report(
    `is the invalid memory policy flag ${JSON.stringify(text)}, it must be one of ${known.join(', ')}`,
  )
}
