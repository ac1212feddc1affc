/** Joins chunks that come faster than they are used into larger ones. */
import { createDeferred } from '../util/deferred.ts'

/**
 * The bytes of `source`, read ahead by up to `maximum`, in chunks of up to about that: while the consumer is busy they
 * pile up and come as one, while it waits each comes at once. Each step behind, be it a write, a hash
 * or an inflating thread, costs the same for a small chunk and a large one.
 */
export async function* gathered(
  source: AsyncIterable<Buffer>,
  maximum: number,
): AsyncGenerator<Buffer> {
  const pile = new Pile(maximum)
  const filling = fill(pile, source)
  try {
    for (;;) {
      const chunk = await pile.take()
      if (chunk === undefined) break
      yield chunk
    }
  } finally {
    pile.close()
    await filling
  }
  if (pile.failure !== undefined) throw pile.failure.error
}

async function fill(pile: Pile, source: AsyncIterable<Buffer>): Promise<void> {
  try {
    for await (const chunk of source) if (!(await pile.add(chunk))) return
  } catch (error) {
    pile.failure = { error }
  } finally {
    pile.end()
  }
}

class Pile {
  failure: { readonly error: unknown } | undefined
  readonly #maximum: number
  #chunks: Buffer[] = []
  #length = 0
  #isEnded = false
  #isClosed = false
  #changed = createDeferred<void>()

  constructor(maximum: number) {
    this.#maximum = maximum
  }

  /** Waits while the pile is high; false once nobody takes from it any more. */
  async add(chunk: Buffer): Promise<boolean> {
    while (this.#length >= this.#maximum && !this.#isClosed) await this.#changed.promise
    if (this.#isClosed) return false
    this.#chunks.push(chunk)
    this.#length += chunk.length
    this.#signal()
    return true
  }

  /** All that is there, at least one chunk; undefined at the end. */
  async take(): Promise<Buffer | undefined> {
    while (this.#chunks.length === 0) {
      if (this.#isEnded) return undefined
      await this.#changed.promise
    }
    const [first] = this.#chunks
    const whole = this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks, this.#length)
    this.#chunks = []
    this.#length = 0
    this.#signal()
    return whole
  }

  end(): void {
    this.#isEnded = true
    this.#signal()
  }

  close(): void {
    this.#isClosed = true
    this.#signal()
  }

  #signal(): void {
    const changed = this.#changed
    this.#changed = createDeferred()
    changed.resolve()
  }
}
