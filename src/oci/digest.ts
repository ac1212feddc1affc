/** Content digests, `sha256:<hex>` (image-spec descriptor.md "Digests"). */
import { TsrunError } from '../errors.ts'

export type DigestAlgorithm = 'sha256' | 'sha512'

export interface Digest {
  readonly algorithm: DigestAlgorithm
  /** Lower-case hexadecimal of the exact length of the algorithm. */
  readonly hex: string
}

const HEX_LENGTH: Readonly<Record<DigestAlgorithm, number>> = { sha256: 64, sha512: 128 }

/** The digest in `text`; throws `invalid-argument` with the reason. A digest becomes a file name: nothing lenient here. */
export function parseDigest(text: string): Digest {
  const problem = digestProblem(text)
  if (problem !== undefined) {
    throw new TsrunError(
      'invalid-argument',
      `cannot use digest ${JSON.stringify(text)}: ${problem}`,
    )
  }
  const [algorithm, hex] = text.split(':')
  return { algorithm: algorithm as DigestAlgorithm, hex: hex ?? '' }
}

/** Whether `text` is a digest that tsrun can verify. */
export function isDigest(text: string): boolean {
  return digestProblem(text) === undefined
}

/** `algorithm:hex`. */
export function formatDigest(digest: Digest): string {
  return `${digest.algorithm}:${digest.hex}`
}

/** Why `text` is not a digest that tsrun can verify; undefined when it is one. */
export function digestProblem(text: string): string | undefined {
  const colon = text.indexOf(':')
  if (colon === -1) return 'it has no algorithm, as in sha256:<hex>'
  const algorithm = text.slice(0, colon)
  if (!Object.hasOwn(HEX_LENGTH, algorithm)) {
    return `its algorithm ${JSON.stringify(algorithm)} is not sha256 or sha512`
  }
  const length = HEX_LENGTH[algorithm as DigestAlgorithm]
  const hex = text.slice(colon + 1)
  if (hex.length !== length) return `it must have ${length} hexadecimal digits, not ${hex.length}`
  return /^[0-9a-f]+$/.test(hex) ? undefined : 'it must be written in lower-case hexadecimal digits'
}
