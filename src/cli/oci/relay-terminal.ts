/** Joins the caller's terminal to a container's pty for the time of a foreground `run` or `exec`. */
import type { Duplex } from 'node:stream'
import { errnoCodeOf } from '../../errors.ts'
import { keepNewlines, openConsolePair, resizeTerminal } from '../../runtime/console-pair.ts'

export interface TerminalRelay extends Disposable {
  readonly consoleFd: number
  /** Begins to copy both ways; once the process is ready. */
  begin(): void
  /** Settles when all that the container printed has been passed on. */
  drained(): Promise<void>
}

/** A console for a process whose output this command shows itself. */
export function openTerminalRelay(): TerminalRelay {
  const pair = openConsolePair()
  let master: Duplex | undefined
  let ended: Promise<void> = Promise.resolve()
  const resize = (fd: number) => (): void => {
    const { columns, rows } = process.stdout
    if (process.stdout.isTTY) resizeTerminal(fd, rows, columns)
  }
  let stop = (): void => undefined
  return {
    consoleFd: pair.consoleFd,
    begin() {
      const { fd, stream } = pair.openMaster()
      keepNewlines(fd)
      master = stream
      ended = copyOutput(stream)
      copyInput(stream)
      const follow = resize(fd)
      follow()
      process.stdout.on('resize', follow)
      stop = () => {
        process.stdout.off('resize', follow)
      }
    },
    drained: () => ended,
    [Symbol.dispose]() {
      stop()
      pair[Symbol.dispose]()
      if (master === undefined) return
      if (process.stdin.isTTY) process.stdin.setRawMode(false)
      process.stdin.destroy()
      // Bun goes on waiting for a terminal whose stream is destroyed; an error would never end the command.
      process.stdin.unref()
      master.destroy()
    },
  }
}

function copyOutput(master: Duplex): Promise<void> {
  return new Promise((resolve, reject) => {
    master.on('data', (chunk: Buffer) => {
      if (!process.stdout.write(chunk)) {
        master.pause()
        process.stdout.once('drain', () => master.resume())
      }
    })
    master.on('end', resolve)
    master.on('close', resolve)
    // EIO: nobody has the slave open any more (pty(7)).
    master.on('error', (error) => (errnoCodeOf(error) === 'EIO' ? resolve() : reject(error)))
    process.stdout.on('error', () => master.resume())
  })
}

function copyInput(master: Duplex): void {
  if (process.stdin.isTTY) process.stdin.setRawMode(true)
  process.stdin.on('data', (chunk: Buffer) => master.write(chunk))
  // A pty has no end of its own: ^D is how a terminal says it (termios(3) VEOF).
  process.stdin.on('end', () => master.write('\x04'))
  process.stdin.on('error', () => undefined)
}
