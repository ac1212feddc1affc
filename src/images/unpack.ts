/** Unpacks one layer from its compressed stream into a draft, and verifies what came out. */
import { createHash } from 'node:crypto'
import { inflate } from '../archive/compression.ts'
import type { InflationBound } from '../archive/inflation-bound.ts'
import { TsrunError } from '../errors.ts'
import { createZstdInflate } from '../native/zstd.ts'
import { parseDigest } from '../oci/digest.ts'
import { type AppliedLayer, applyLayer } from './apply-layer.ts'

export interface UnpackOptions {
  readonly folder: string
  /** Digest of the plain tar, from the image's config. */
  readonly diffId: string
  /** For messages: digest of the compressed blob. */
  readonly digest: string
  readonly isBase: boolean
  readonly overlayXattrs: 'trusted' | 'user'
  /** Bounds what the compressed stream may become. */
  readonly inflation?: InflationBound | undefined
  readonly signal?: AbortSignal | undefined
}

/** Reads `packed` to its end. On failure the folder holds rubbish: its draft must be disposed. */
export async function unpackLayer(
  packed: AsyncIterable<Buffer>,
  options: UnpackOptions,
): Promise<AppliedLayer> {
  const { algorithm, hex } = parseDigest(options.diffId)
  const hash = createHash(algorithm)
  async function* hashed(): AsyncGenerator<Buffer> {
    for await (const chunk of inflate(packed, createZstdInflate, options.inflation)) {
      hash.update(chunk)
      yield chunk
    }
  }
  let applied: AppliedLayer
  try {
    applied = await applyLayer(hashed(), options)
  } catch (cause) {
    options.signal?.throwIfAborted()
    if (!(cause instanceof TsrunError)) throw cause
    throw new TsrunError(cause.kind, `cannot unpack layer "${options.digest}"`, { cause })
  }
  const actual = hash.digest('hex')
  if (actual === hex) return applied
  throw new TsrunError(
    'invalid-argument',
    `cannot unpack layer "${options.digest}": its content has the digest ${algorithm}:${actual}, where the image says ${options.diffId}`,
    { hint: 'the image is damaged: push it again' },
  )
}
