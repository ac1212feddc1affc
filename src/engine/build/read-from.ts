/** Reads an open file from its start, as a stream that leaves the descriptor open. */
import { read as readCallback } from 'node:fs'
import { promisify } from 'node:util'
import type { OwnedFd } from '../../native/owned-fd.ts'

const CHUNK = 256 * 1024
const read = promisify(readCallback)

/** At most `end` bytes. A stream of Node's would close the descriptor, whatever it is told. */
export async function* readFrom(
  file: OwnedFd,
  end = Number.POSITIVE_INFINITY,
): AsyncGenerator<Buffer> {
  for (let at = 0; at < end; ) {
    const chunk = Buffer.alloc(Math.min(CHUNK, end - at))
    const { bytesRead } = await read(file.fd, chunk, 0, chunk.length, at)
    if (bytesRead === 0) return
    at += bytesRead
    yield chunk.subarray(0, bytesRead)
  }
}
