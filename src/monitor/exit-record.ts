/** Reads the `exit` file that the monitor leaves when its container has ended. */

import { join } from 'node:path'
import { decodeWaitStatus } from '../linux/wait-status.ts'
import { readTextIfThere } from '../util/if-there.ts'

export interface ExitRecord {
  /** 128 + signal when a signal ended the process, as shells count. */
  readonly exitCode: number
  /** Number of the signal, 0 when the process exited by itself. */
  readonly signal: number
  /** RFC 3339 with nanoseconds. */
  readonly finishedAt: string
  /** Bytes of the log that could not be written. */
  readonly logLost: number
}

/** The exit record in the container's folder, undefined when there is none or only a torn one. */
export function readExitRecord(directory: string): ExitRecord | undefined {
  const text = readTextIfThere(join(directory, 'exit'))
  return text === undefined ? undefined : parseExitRecord(text)
}

/** Parses `<wait status> <time> <log bytes lost>`. */
export function parseExitRecord(text: string): ExitRecord | undefined {
  const match = /^(\d+) (\d{4}-\S+Z) (\d+)\n$/.exec(text)
  if (match === null) return undefined
  return {
    ...decodeWaitStatus(Number(match[1])),
    finishedAt: match[2] ?? '',
    logLost: Number(match[3]),
  }
}
