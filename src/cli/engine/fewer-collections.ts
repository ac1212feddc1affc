/** Tells V8 that a command moves gigabytes through small buffers and keeps hardly an object. */
import { setFlagsFromString } from 'node:v8'

/**
 * Buffers outside the heap make V8 mark its few megabytes again and again, in threads that take the cores from
 * inflating: a sixth of all CPU time of a pull of 2 GB (Node 20). For commands only, as it is about the whole process.
 */
export function collectInOneGo(): void {
  if (process.versions.bun === undefined) setFlagsFromString('--no-incremental-marking')
}
