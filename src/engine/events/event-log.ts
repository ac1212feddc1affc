/**
 * The log of an engine's events: one line of JSON each, appended by whoever makes something happen. No process
 * owns it. A write(2) of a line to a file opened with O_APPEND is whole and goes to the end, whoever else writes.
 *
 *   <data root>/events/log      the events of late
 *   <data root>/events/log.1    those before: together the last 2 to 4 MB
 */
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf } from '../../errors.ts'
import { isStillAt } from '../../native/file-lock.ts'
import { flock } from '../../native/syscalls.ts'
import type { EngineEvent } from './event.ts'

const MAX_BYTES = 2 * 1024 * 1024
/** Where nothing can be written a container must still start, end and go. */
const NO_ROOM = ['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM']

/** The folder of the log. */
export function eventsFolder(dataRoot: string): string {
  return join(dataRoot, 'events')
}

/** Appends the event, with the time. What cannot be written for lack of room or rights is lost. */
export function recordEvent(dataRoot: string, event: Omit<EngineEvent, 'timeNano'>): void {
  const timeNano = String(BigInt(Date.now()) * 1_000_000n + (process.hrtime.bigint() % 1_000_000n))
  try {
    append(eventsFolder(dataRoot), `${JSON.stringify({ ...event, timeNano })}\n`)
  } catch (error) {
    if (!NO_ROOM.includes(errnoCodeOf(error) ?? '')) throw error
  }
}

function append(folder: string, line: string): void {
  const path = join(folder, 'log')
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT
  let fd: number
  try {
    fd = openSync(path, flags, 0o600)
  } catch (error) {
    if (errnoCodeOf(error) !== 'ENOENT') throw error
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    fd = openSync(path, flags, 0o600)
  }
  try {
    writeSync(fd, line)
    // One of those who see that it is full, and still the log itself, renames it.
    if (fstatSync(fd).size > MAX_BYTES && flock(fd, 'exclusive', false) && isStillAt(fd, path))
      renameSync(path, join(folder, 'log.1'))
  } finally {
    closeSync(fd)
  }
}
