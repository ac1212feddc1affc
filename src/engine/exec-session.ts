/** The streams of one exec: this process's own, none, or a terminal whose master comes to us. */
import { constants, openSync } from 'node:fs'
import type { Duplex } from 'node:stream'
import { TsrunError } from '../errors.ts'
import { parseSignal } from '../linux/signals.ts'
import { openPtyMaster } from '../native/node-pty.ts'
import { OwnedFd } from '../native/owned-fd.ts'
import { receiveDescriptor } from '../native/pass-descriptors.ts'
import { newBatch, runBatch } from '../native/run-batch.ts'
import { streamPair } from '../native/syscalls.ts'
import { readProcStat } from '../runtime/process-liveness.ts'
import type { ExecStreams } from './exec-in-container.ts'
import { sendSignal } from './signal-container.ts'

export interface ExecSessionOptions {
  readonly terminal: boolean
  /** The process reads this process's stdin. */
  readonly input: boolean
  /** The process writes to this process's stdout and stderr. */
  readonly output: boolean
}

/** Holds the descriptors that an exec needs until it is over. */
export class ExecSession implements Disposable {
  readonly streams: Omit<ExecStreams, 'supervise'>
  readonly #opened: OwnedFd[] = []
  readonly #console: OwnedFd | undefined

  constructor({ terminal, input, output }: ExecSessionOptions) {
    const nothing = this.#keep(new OwnedFd(openSync('/dev/null', constants.O_RDWR)))
    if (terminal) {
      const [ours, theirs] = streamPair()
      this.#console = this.#keep(ours)
      this.#keep(theirs)
      this.streams = { stdio: [nothing.fd, nothing.fd, nothing.fd], consoleFd: theirs.fd }
    } else {
      this.streams = {
        stdio: [input ? 0 : nothing.fd, output ? 1 : nothing.fd, output ? 2 : nothing.fd],
      }
    }
  }

  /** The process's terminal, once it runs. */
  async openConsole(onOutput: (stream: 'stdout', bytes: Buffer) => void): Promise<PtyMaster> {
    const master =
      this.#console === undefined ? undefined : await receiveDescriptor(this.#console.fd)
    if (master === undefined)
      throw new TsrunError('internal', 'cannot open the terminal: the process sent none')
    return new PtyMaster(master, onOutput)
  }

  [Symbol.dispose](): void {
    for (const fd of this.#opened) fd.close()
  }

  #keep(fd: OwnedFd): OwnedFd {
    this.#opened.push(fd)
    return fd
  }
}

/** Our end of a pty as streams. */
export class PtyMaster {
  /** Resolves when the last process that had the terminal is gone. */
  readonly closed: Promise<void>
  readonly #fd: number
  readonly #stream: Duplex

  constructor(master: OwnedFd, onOutput: (stream: 'stdout', bytes: Buffer) => void) {
    this.#fd = master.release()
    this.#stream = openPtyMaster(this.#fd)
    this.#stream.on('data', (bytes) => onOutput('stdout', Buffer.from(bytes)))
    this.closed = new Promise((resolve) => {
      this.#stream.once('close', () => resolve())
    })
    // pty(7): a read of the master fails with EIO when no slave is open any more. `close` follows.
    this.#stream.on('error', () => this.#stream.destroy())
    this.#stream.on('end', () => this.#stream.destroy())
  }

  sendInput(bytes: Uint8Array): boolean {
    return this.#stream.destroyed || this.#stream.write(bytes)
  }

  /** What Ctrl-D means to a terminal: the end of the input. */
  endInput(): void {
    this.sendInput(Buffer.from([4]))
  }

  drained(callback: () => void): void {
    this.#stream.once('drain', callback)
  }

  resize(rows: number, columns: number): void {
    if (this.#stream.destroyed) return
    const TIOCSWINSZ = 0x5414 // asm-generic/ioctls.h
    const size = Buffer.alloc(8)
    size.writeUInt16LE(Math.min(rows, 0xffff), 0)
    size.writeUInt16LE(Math.min(columns, 0xffff), 2)
    const batch = newBatch()
    batch.run('ioctl', [this.#fd, TIOCSWINSZ, batch.bytes(size)])
    runBatch(batch)
  }

  pause(): void {
    this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }
}

/** Sends the signal `name` to the process of an exec; one that has ended is left alone. */
export function signalExec(pid: number, name: string): void {
  const stat = readProcStat(pid)
  const number = parseSignal(name)
  if (stat !== undefined && number !== undefined) sendSignal(pid, stat.startTime, number)
}
