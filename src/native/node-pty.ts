/** A pty's master as a stream, under Node.js. bun-pty.ts is its twin. */
import type { Duplex } from 'node:stream'
import { ReadStream } from 'node:tty'

/** The stream owns `master` from now on, and fails with EIO when no process has the slave open (pty(7)). */
export function openPtyMaster(master: number): Duplex {
  return new ReadStream(master)
}
