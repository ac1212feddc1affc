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

/** config-linux.md "Memory policy"; `policy` is an object. */
export function checkMemoryPolicy(policy: JsonCursor): void {
  const mode = policy.field('mode').required().oneOf(Object.keys(MEMORY_POLICY_MODES))
  const nodes = policy.field('nodes')
  const text = nodes.string() ?? ''
  if (text !== '' && parseBitList(text) === undefined)
    nodes.report(`must be a list of memory nodes such as "0-3,7", not ${JSON.stringify(text)}`)
  if (mode !== undefined && text !== '' && MODES_WITHOUT_NODES.includes(mode))
    nodes.report(`must be empty with ${mode}`)
  if (mode !== undefined && text === '' && MODES_THAT_NEED_NODES.includes(mode))
    nodes.report(`must name a memory node with ${mode}`)
  checkFlags(policy.field('flags'))
}

function checkFlags(flags: JsonCursor): void {
  const known = Object.keys(MEMORY_POLICY_FLAGS)
  const given = flags.items().map((flag) => flag.oneOf(known))
  if (given.includes('MPOL_F_STATIC_NODES') && given.includes('MPOL_F_RELATIVE_NODES'))
    flags.report('must not hold both MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES')
}
