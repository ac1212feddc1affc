/** What a standard stream is, by which a checkpoint knows it again. */
import { readlinkSync } from 'node:fs'
import { errnoCodeOf } from '../errors.ts'

/** `pipe:[…]`, `/dev/null`, …: what /proc/self/fd shows; '' for a descriptor that is closed. */
export function streamName(fd: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return ''
    throw error
  }
}
