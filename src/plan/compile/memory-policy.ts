/** linux.memoryPolicy (set_mempolicy(2)): where the process's memory comes from on a NUMA machine. */
import { bitMask } from '../../linux/bit-list.ts'
import { MEMORY_POLICY_FLAGS, MEMORY_POLICY_MODES } from '../../linux/memory-policies.ts'
import type { ProcessContext } from './create-context.ts'

export function emitMemoryPolicy(c: ProcessContext): void {
  const policy = c.config.linux?.memoryPolicy
  if (policy === undefined) return
  const { b } = c
  const flags = (policy.flags ?? []).reduce(
    (bits, flag) => bits | (MEMORY_POLICY_FLAGS[flag] ?? 0),
    0,
  )
  const mode = (MEMORY_POLICY_MODES[policy.mode] ?? 0) | flags
  const nodes = policy.nodes ?? ''
  b.at('/linux/memoryPolicy', () => {
    const note = [policy.mode, nodes].filter(Boolean).join(' ')
    if (nodes === '') return b.run('set_mempolicy', [mode, 0, 0], { note })
    const mask = bitMask(nodes)
    // The kernel takes one bit less than it is told (get_nodes() in mm/mempolicy.c).
    return b.run('set_mempolicy', [mode, b.bytes(mask), mask.length * 8 + 1], { note })
  })
}
