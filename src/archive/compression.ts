/** Inflates layer streams: gzip by zlib, zstd by zlib or a given decoder, plain tar as it is. */
import type { Transform } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { TsrunError } from '../errors.ts'
import { checkInflation, type InflationBound } from './inflation-bound.ts'
import { through } from './through.ts'

export type Compression = 'none' | 'gzip' | 'zstd'

/** Makes a stream that inflates zstd; throws `not-implemented` where the machine has none. */
export type ZstdFactory = () => Transform

const CHUNK_SIZE = 256 * 1024
/** Start and program of what is refused by name; only the first four bytes are looked at. */
const OTHERS: readonly (readonly [magic: Buffer, program: string])[] = [
  [Buffer.from([0xfd, 0x37, 0x7a, 0x58]), 'xz'],
  [Buffer.from('BZh', 'latin1'), 'bzip2'],
  [Buffer.from('LZIP', 'latin1'), 'lzip'],
]

/** The compression that the first bytes show, whatever the media type says: as docker and podman do. */
export function detectCompression(start: Uint8Array): Compression {
  if (start[0] === 0x1f && start[1] === 0x8b) return 'gzip'
  if (start[0] === 0x28 && start[1] === 0xb5 && start[2] === 0x2f && start[3] === 0xfd)
    return 'zstd'
  return 'none'
}

/**
 * The plain bytes of `packed`, at most as many as `bound` allows. A damaged stream or a bomb throws `invalid-argument`,
 * a failing source its own error.
 */
export async function* inflate(
  packed: AsyncIterable<Buffer>,
  zstd: ZstdFactory,
  bound: InflationBound = {},
): AsyncGenerator<Buffer> {
  const iterator = packed[Symbol.asyncIterator]()
  try {
    const start = await readStart(iterator)
    const compression = detectCompression(start)
    if (compression === 'none') refuseOther(start)
    const whole = resume(start, iterator)
    if (compression === 'none') yield* whole
    else yield* inflateAs(compression, whole, { zstd, bound })
  } finally {
    await iterator.return?.()
  }
}

async function* inflateAs(
  compression: 'gzip' | 'zstd',
  packed: AsyncIterable<Buffer>,
  { zstd, bound }: { readonly zstd: ZstdFactory; readonly bound: InflationBound },
): AsyncGenerator<Buffer> {
  const decoder = compression === 'gzip' ? createGunzip({ chunkSize: CHUNK_SIZE }) : zstd()
  const read = { bytes: 0 }
  let plain = 0
  for await (const chunk of through(counted(packed, read), decoder, damaged(compression))) {
    plain += chunk.length
    checkInflation(plain, read.bytes, bound)
    yield chunk
  }
}

// docker and podman take these, too: it must not look like a damaged tar.
function refuseOther(start: Buffer): void {
  const name = OTHERS.find(([magic]) => start.subarray(0, magic.length).equals(magic))?.[1]
  if (name === undefined) return
  throw new TsrunError('not-implemented', `it is compressed by ${name}, which is not supported`, {
    hint: `inflate it with ${name} -dc first, or compress it with gzip or zstd`,
  })
}

async function* counted(
  source: AsyncIterable<Buffer>,
  count: { bytes: number },
): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    count.bytes += chunk.length
    yield chunk
  }
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
  if (start.length > 0) yield start
  for (;;) {
    const { value, done } = await iterator.next()
    if (done === true) return
    yield value
  }
}

function damaged(compression: Compression): (cause: unknown) => unknown {
  return (cause) => {
    if (cause instanceof TsrunError) return cause
    const detail = cause instanceof Error ? cause.message : String(cause)
    return new TsrunError('invalid-argument', `its ${compression} data is damaged: ${detail}`, {
      cause,
    })
  }
}
