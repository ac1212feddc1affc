/** What is written to a file, as it grows. */
import { closeSync, openSync, readSync } from 'node:fs'

const CHUNK = 1 << 16

/** Opens `path`; each `pump` writes what came since to `stream`. */
export function followFile(path, stream) {
  const descriptor = openSync(path, 'r')
  const buffer = Buffer.alloc(CHUNK)
  return {
    pump() {
      for (;;) {
        const length = readSync(descriptor, buffer, 0, CHUNK, null)
        if (length === 0) return
        stream.write(Buffer.from(buffer.subarray(0, length)))
      }
    },
    close: () => closeSync(descriptor),
  }
}
