/** The console socket: where the master of the container's pty goes (runc's terminals.md). */
import { TsrunError } from '../errors.ts'
import type { OwnedFd } from '../native/owned-fd.ts'
import { connectUnix } from './unix-socket.ts'

export interface ConsoleOptions {
  readonly consoleSocket?: string
  readonly consoleFd?: number
}

/** A connected console socket; `owned` when this call opened it. */
export interface Console {
  readonly fd: number
  readonly owned?: OwnedFd
}

/** Connects the console, undefined when the process has no terminal. The two must agree, as with runc. */
export function openConsole(terminal: boolean, options: ConsoleOptions): Console | undefined {
  const { consoleSocket, consoleFd } = options
  if (!terminal) {
    if (consoleSocket === undefined) return undefined
    throw new TsrunError(
      'invalid-argument',
      'cannot use console socket if the container will not allocate a terminal',
      {
        hint: 'set process.terminal to true, or leave --console-socket out',
      },
    )
  }
  if (consoleFd !== undefined) return { fd: consoleFd }
  if (consoleSocket === undefined) {
    throw new TsrunError(
      'invalid-argument',
      'cannot allocate tty if tsrun will detach without setting console socket',
      {
        hint: 'give --console-socket, or set process.terminal to false',
      },
    )
  }
  try {
    const owned = connectUnix(consoleSocket, 'stream')
    return { fd: owned.fd, owned }
  } catch (cause) {
    throw new TsrunError(
      'invalid-argument',
      `cannot connect to the console socket "${consoleSocket}"`,
      { cause },
    )
  }
}
