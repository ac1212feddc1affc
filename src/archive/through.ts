/** Leads bytes through a transforming stream, such as zlib's, without losing an error on either side. */
import type { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/**
 * What `transform` makes of `source`. Fails with the error of `source` as it is, or with what `explain` makes of the
 * transform's own; a consumer that leaves early closes both.
 */
export async function* through(
  source: AsyncIterable<Buffer>,
  transform: Transform,
  explain: (cause: unknown) => unknown = (cause) => cause,
): AsyncGenerator<Buffer> {
  let sourceError: { error: unknown } | undefined
  async function* guarded(): AsyncGenerator<Buffer> {
    try {
      yield* source
    } catch (error) {
      sourceError = { error }
      throw error
    }
  }
  const pumping = pipeline(guarded, transform, { end: true }).then(
    () => undefined,
    (error: unknown) => ({ error }),
  )
  try {
    for await (const chunk of transform) yield chunk as Buffer
  } catch (cause) {
    if (sourceError !== undefined) throw (sourceError as { error: unknown }).error
    throw explain(cause)
  } finally {
    transform.destroy()
    await pumping
  }
}
