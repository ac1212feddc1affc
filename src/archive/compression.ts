/** Inflates layer streams: gzip by zlib, zstd by zlib or a given decoder, plain tar as it is. */
import type { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { TsrunError } from '../errors.ts'

export type Compression = 'none' | 'gzip' | 'zstd'

/** Makes a stream that inflates zstd; throws `not-implemented` where the machine has none. */
export type ZstdFactory = () => Transform

const CHUNK_SIZE = 256 * 1024

/** The compression that the first bytes show, whatever the media type says: as docker and podman do. */
export function detectCompression(start: Uint8Array): Compression {
  if (start[0] === 0x1f && start[1] === 0x8b) return 'gzip'
  if (start[0] === 0x28 && start[1] === 0xb5 && start[2] === 0x2f && start[3] === 0xfd)
    return 'zstd'
  return 'none'
}

/** The plain bytes of `packed`. A damaged stream throws `invalid-argument`, a failing source its own error. */
export async function* inflate(
  packed: AsyncIterable<Buffer>,
  zstd: ZstdFactory,
): AsyncGenerator<Buffer> {
  const iterator = packed[Symbol.asyncIterator]()
  const start = await readStart(iterator)
  const whole = resume(start, iterator)
  const compression = detectCompression(start)
  if (compression === 'none') yield* whole
  else
    yield* through(
      whole,
      compression === 'gzip' ? createGunzip({ chunkSize: CHUNK_SIZE }) : zstd(),
      compression,
    )
}

async function readStart(iterator: AsyncIterator<Buffer>): Promise<Buffer> {
  let start: Buffer = Buffer.alloc(0)
  while (start.length < 4) {
    const { value, done } = await iterator.next()
    if (done === true) break
    start = start.length === 0 ? value : Buffer.concat([start, value])
  }
  return start
}

async function* resume(start: Buffer, iterator: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    if (start.length > 0) yield start
    for (;;) {
      const { value, done } = await iterator.next()
      if (done === true) return
      yield value
    }
  } finally {
    await iterator.return?.()
  }
}

async function* through(
  packed: AsyncIterable<Buffer>,
  decoder: Transform,
  compression: Compression,
): AsyncGenerator<Buffer> {
  let sourceError: { error: unknown } | undefined
  async function* guarded(): AsyncGenerator<Buffer> {
    try {
      yield* packed
    } catch (error) {
      sourceError = { error }
      throw error
    }
  }
  const pumping = pipeline(guarded, decoder, { end: true }).then(
    () => undefined,
    (error: unknown) => ({ error }),
  )
  try {
    for await (const chunk of decoder) yield chunk as Buffer
  } catch (cause) {
    if (sourceError !== undefined) throw (sourceError as { error: unknown }).error
    if (cause instanceof TsrunError) throw cause
    const detail = cause instanceof Error ? cause.message : String(cause)
    throw new TsrunError('invalid-argument', `its ${compression} data is damaged: ${detail}`, {
      cause,
    })
  } finally {
    decoder.destroy()
    await pumping
  }
}
