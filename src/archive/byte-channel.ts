/** A one-chunk-deep channel between a producer and a consumer that may stop early without stopping the producer. */
import { createDeferred, type Deferred } from '../util/deferred.ts'

/**
 * The producer awaits {@link push}, which waits for the consumer; once the consumer has left, pushes
 * go nowhere at once. So a download still runs to its end, and is verified, when unpacking it failed.
 */
export class ByteChannel implements AsyncIterable<Buffer> {
  #chunk: Buffer | undefined
  #ended = false
  #failure: { readonly error: unknown } | undefined
  #abandoned = false
  #changed: Deferred<void> = createDeferred()

  /** Resolves when the consumer has taken what was pushed before. */
  async push(chunk: Buffer): Promise<void> {
    while (this.#chunk !== undefined && !this.#abandoned) await this.#changed.promise
    if (this.#abandoned) return
    this.#chunk = chunk
    this.#signal()
  }

  end(): void {
    this.#ended = true
    this.#signal()
  }

  /** The consumer's next read throws `error`. */
  fail(error: unknown): void {
    this.#failure = { error }
    this.#signal()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        if (this.#failure !== undefined) throw this.#failure.error
        const chunk = this.#chunk
        if (chunk !== undefined) {
          this.#chunk = undefined
          this.#signal()
          yield chunk
        } else if (this.#ended) {
          return
        } else {
          await this.#changed.promise
        }
      }
    } finally {
      this.abandon()
    }
  }

  /** The consumer's side is gone. */
  abandon(): void {
    this.#abandoned = true
    this.#chunk = undefined
    this.#signal()
  }

  #signal(): void {
    const changed = this.#changed
    this.#changed = createDeferred()
    changed.resolve()
  }
}
