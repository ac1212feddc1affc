/** Writes tars of plain files, streaming and always the same for the same input. */
import { once } from 'node:events'
import { type Pack, pack } from 'tar-stream'

export interface PackedFile {
  readonly name: string
  readonly size: number
  readonly content: AsyncIterable<Buffer> | Iterable<Buffer>
}

/** The tar of `files`: mode 0644, owner root, time 0, so that equal content gives equal bytes. */
export async function* packTar(
  files: AsyncIterable<PackedFile> | Iterable<PackedFile>,
): AsyncGenerator<Buffer> {
  const packer = pack()
  const filling = fill(packer, files).then(
    () => undefined,
    (error: unknown) => {
      packer.destroy(error instanceof Error ? error : new Error(String(error)))
      return { error }
    },
  )
  try {
    for await (const chunk of packer) yield chunk as Buffer
  } catch (cause) {
    const failure = await filling
    throw failure === undefined ? cause : failure.error
  } finally {
    packer.destroy(null)
    await filling
  }
}

async function fill(
  packer: Pack,
  files: AsyncIterable<PackedFile> | Iterable<PackedFile>,
): Promise<void> {
  for await (const { name, size, content } of files) {
    if (packer.destroying) return
    const sink = packer.entry({
      name,
      size,
      mode: 0o644,
      mtime: new Date(0),
      uid: 0,
      gid: 0,
      type: 'file',
    })
    const closed = once(sink, 'close').catch(() => {
      // Reported by the packer, which the reader of the tar sees.
    })
    for await (const chunk of content) {
      if (packer.destroying) return
      if (!sink.write(chunk)) await Promise.race([once(sink, 'drain').catch(() => {}), closed])
    }
    sink.end(null)
    await closed
  }
  packer.finalize()
}
