/** Inflates zstd: by node:zlib where it has it (Node 22.15 and newer), else by the system's libzstd. */
import { Transform, type TransformCallback } from 'node:stream'
import * as zlib from 'node:zlib'
import { TsrunError } from '../errors.ts'
import { loadSystemLibrary } from './library.ts'

const OUTPUT_SIZE = 256 * 1024
/** 128 MiB: what `zstd -d` takes without --long; a larger window is a memory bomb. */
const WINDOW_LOG_MAX = 27
const ZSTD_D_WINDOW_LOG_MAX = 100 // zstd.h, enum ZSTD_dParameter

const PROTOTYPES = {
  create: 'void *ZSTD_createDCtx()',
  free: 'size_t ZSTD_freeDCtx(void *context)',
  setParameter: 'size_t ZSTD_DCtx_setParameter(void *context, int parameter, int value)',
  decompress:
    'size_t ZSTD_decompressStream_simpleArgs(void *context, uint8_t *out, size_t outSize, _Inout_ uint64_t *outPos, const uint8_t *input, size_t inSize, _Inout_ uint64_t *inPos)',
  isError: 'unsigned int ZSTD_isError(size_t code)',
  errorName: 'const char *ZSTD_getErrorName(size_t code)',
} as const

type Zstd = NonNullable<ReturnType<typeof loadZstd>>

let loaded: Zstd | undefined

/** A stream that inflates zstd. Throws `not-implemented` with the remedy where nothing can. */
export function createZstdInflate(): Transform {
  const create: unknown = Reflect.get(zlib, 'createZstdDecompress')
  if (typeof create === 'function') return create({ chunkSize: OUTPUT_SIZE }) as Transform
  loaded ??= loadZstd()
  if (loaded !== undefined) return new LibzstdInflate(loaded)
  throw new TsrunError(
    'not-implemented',
    'cannot inflate zstd: this Node.js has no zstd and libzstd.so.1 is missing',
    {
      hint: 'install libzstd1 or use Node.js 22.15 or newer',
    },
  )
}

/** The same by libzstd alone, for tests on any Node. */
export function createLibzstdInflate(): Transform | undefined {
  loaded ??= loadZstd()
  return loaded === undefined ? undefined : new LibzstdInflate(loaded)
}

function loadZstd() {
  return loadSystemLibrary(['libzstd.so.1', 'libzstd.so'], PROTOTYPES)
}

class LibzstdInflate extends Transform {
  readonly #zstd: Zstd
  readonly #context: unknown
  readonly #positions = new BigUint64Array(2)
  #isFreed = false
  /** Bytes the decoder still wants for this frame; 0 between frames. */
  #pending = 0

  constructor(zstd: Zstd) {
    super({ readableHighWaterMark: OUTPUT_SIZE })
    this.#zstd = zstd
    this.#context = zstd.create()
    zstd.setParameter(this.#context, ZSTD_D_WINDOW_LOG_MAX, WINDOW_LOG_MAX)
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      this.#inflate(chunk)
      done()
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)))
    }
  }

  override _flush(done: TransformCallback): void {
    done(this.#pending === 0 ? null : new Error('unexpected end of file'))
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#isFreed) this.#zstd.free(this.#context)
    this.#isFreed = true
    done(error)
  }

  #inflate(input: Buffer): void {
    const at = this.#positions
    let consumed = 0
    for (let filled = true; consumed < input.length || filled; ) {
      const output = Buffer.allocUnsafe(OUTPUT_SIZE)
      at.fill(0n)
      at[1] = BigInt(consumed)
      const outPos = at.subarray(0, 1)
      const inPos = at.subarray(1, 2)
      const code = this.#zstd.decompress(
        this.#context,
        output,
        output.length,
        outPos,
        input,
        input.length,
        inPos,
      )
      if (this.#zstd.isError(code) !== 0) throw new Error(String(this.#zstd.errorName(code)))
      const before = consumed
      consumed = Number(at[1])
      const produced = Number(at[0])
      if (consumed > before || produced > 0) this.#pending = Number(code)
      if (produced > 0) this.push(output.subarray(0, produced))
      filled = produced === output.length
    }
  }
}
