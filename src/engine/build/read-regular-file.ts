/** Reads a file that somebody else gave us, who may have put anything in its place. */
import { constants, fstatSync, openSync, readSync } from 'node:fs'
import { TsrunError } from '../../errors.ts'
import { OwnedFd } from '../../native/owned-fd.ts'

/**
 * The text of a regular file of at most `most` bytes, links followed. Neither waits for a FIFO's writer nor reads
 * a device; `what` is the file in messages: `the Dockerfile "x"`. Throws as open(2) for one that is not there.
 */
export function readRegularFile(path: string, what: string, most: number): string {
  const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = constants
  using file = new OwnedFd(openSync(path, O_RDONLY | O_NONBLOCK | O_NOCTTY))
  if (!fstatSync(file.fd).isFile())
    throw new TsrunError('invalid-argument', `cannot use ${what}: it is no regular file`)
  // What its size says is no bound: it may grow, and files of the kernel say 0.
  const bytes = Buffer.alloc(most + 1)
  let length = 0
  for (;;) {
    const read = readSync(file.fd, bytes, length, bytes.length - length, null)
    length += read
    if (length > most) throw tooLong(what, most)
    if (read === 0) return bytes.toString('utf8', 0, length)
  }
}

/** For a text that is longer than it may be. */
export function tooLong(what: string, most: number): TsrunError {
  return new TsrunError('invalid-argument', `cannot use ${what}: it is longer than ${most} bytes`)
}
