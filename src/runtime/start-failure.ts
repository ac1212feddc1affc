/**
 * The last word of an init whose program could not be executed, kept by the plan of `start`: it has no words
 * itself (verb-plans/start-plan.ts).
 */
import { unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { decodeEvent } from '../native/executor-protocol.ts'
import { containerDirectory } from '../state/state-directory.ts'
import { readBytesIfThere } from '../util/if-there.ts'

/** The file in the container's folder. */
export const START_FAILURE = 'failure'

/** Undefined when there is none to tell of; else it is told now, and removed. */
export function takeStartFailure(
  root: string,
  id: string,
): { readonly pc: number; readonly errno: number } | undefined {
  const path = join(containerDirectory(root, id), START_FAILURE)
  const bytes = readBytesIfThere(path)
  if (bytes === undefined) return undefined
  unlinkSync(path)
  const event = decodeEvent(bytes, bytes.length)
  return event.type === 'failed' ? event : undefined
}
