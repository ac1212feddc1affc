/**
 * A pty's master as a stream, in the standalone executable: takes the place of node-pty.ts.
 *
 * Bun's tty.ReadStream reads in a thread that nothing interrupts: a command that lets go of a silent
 * terminal would not end before the terminal speaks. Its tty.WriteStream makes descriptors blocking.
 */
import { readSync, writeSync } from 'node:fs'
import { Duplex } from 'node:stream'
import { errnoCodeOf } from '../errors.ts'
import { O_NONBLOCK } from '../linux/open-flags.ts'
import { OwnedFd } from './owned-fd.ts'
import { untilReadable, untilWritable } from './readiness.ts'
import { syscall } from './syscalls.ts'

const F_SETFL = 4 // asm-generic/fcntl.h
const CHUNK = 65_536

/** The stream owns `master` from now on, and fails with EIO when no process has the slave open (pty(7)). */
export function openPtyMaster(master: number): Duplex {
  syscall('fcntl', [master, F_SETFL, O_NONBLOCK])
  return new PtyMasterStream(new OwnedFd(master))
}

class PtyMasterStream extends Duplex {
  readonly #master: OwnedFd
  readonly #closing = new AbortController()
  #isReading = false

  constructor(master: OwnedFd) {
    super()
    this.#master = master
  }

  override _read(): void {
    if (!this.#isReading) this.#fill().catch((error) => this.destroy(error))
  }

  override _write(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ): void {
    this.#drain(chunk).then(() => done(), done)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#closing.abort()
    this.#master.close()
    done(error)
  }

  /** Reads until the consumer has enough. */
  async #fill(): Promise<void> {
    this.#isReading = true
    const buffer = Buffer.allocUnsafe(CHUNK)
    for (let wantsMore = true; wantsMore && !this.destroyed; ) {
      const length = now(() => readSync(this.#master.fd, buffer))
      if (length === undefined) await untilReadable(this.#master.fd, -1, this.#closing.signal)
      else wantsMore = this.push(length === 0 ? null : Buffer.from(buffer.subarray(0, length)))
    }
    this.#isReading = false
  }

  async #drain(chunk: Buffer): Promise<void> {
    for (let done = 0; done < chunk.length && !this.destroyed; ) {
      const length = now(() => writeSync(this.#master.fd, chunk, done))
      if (length === undefined) await untilWritable(this.#master.fd, this.#closing.signal)
      else done += length
    }
  }
}

/** What `attempt` gives, or undefined when it would have to wait. */
function now(attempt: () => number): number | undefined {
  try {
    return attempt()
  } catch (error) {
    if (errnoCodeOf(error) === 'EAGAIN') return undefined
    throw error
  }
}
