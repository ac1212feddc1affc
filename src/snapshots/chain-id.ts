/** Chain IDs of layers (image-spec config.md "Layer ChainID"). */
import { createHash } from 'node:crypto'

/** The chain ID of each layer, from the base up: `chain(n) = sha256(chain(n-1) + " " + diff(n))`. */
export function chainIdsOf(diffIds: readonly string[]): readonly string[] {
  const chain: string[] = []
  for (const diffId of diffIds) {
    const below = chain.at(-1)
    chain.push(
      below === undefined
        ? diffId
        : `sha256:${createHash('sha256').update(`${below} ${diffId}`).digest('hex')}`,
    )
  }
  return chain
}
