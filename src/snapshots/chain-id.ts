/** Chain IDs of layers (image-spec config.md "Layer ChainID"). */
import { createHash } from 'node:crypto'

/** The chain ID of each layer, from the base up: `chain(n) = sha256(chain(n-1) + " " + diff(n))`. */
export function chainIdsOf(diffIds: readonly string[]): readonly string[] {
  const chain: string[] = []
  for (const diffId of diffIds) chain.push(chainIdOf(chain.at(-1), diffId))
  return chain
}

/** The chain ID of a layer above the one with the chain ID `below`, or of a base. */
export function chainIdOf(below: string | undefined, diffId: string): string {
  if (below === undefined) return diffId
  return `sha256:${createHash('sha256').update(`${below} ${diffId}`).digest('hex')}`
}
