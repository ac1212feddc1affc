/** `--ulimit name=soft[:hard]` as rlimits of the process. */
import { isRlimitName } from '../linux/rlimits.ts'
import type { Rlimit } from '../oci/runtime-config.ts'
import { refuseOption } from './invalid-option.ts'

/**
 * The largest double below 2^64: JSON cannot carry 2^64-1 exactly, readers in Go refuse anything
 * above it, and tsrun reads every value above 2^53 as infinity.
 */
export const UNLIMITED = 2 ** 64 - 2048

/** One limit a name; the last of a name wins, as in docker. */
export function parseUlimits(texts: readonly string[]): readonly Rlimit[] {
  const limits = new Map<string, Rlimit>()
  for (const text of texts) {
    const limit = parseUlimit(text)
    limits.set(limit.type, limit)
  }
  return [...limits.values()]
}

function parseUlimit(text: string): Rlimit {
  const match = /^([a-z]+)=([^:]+)(?::([^:]+))?$/i.exec(text)
  if (match === null) return refuseOption('ulimit', text, 'it must be name=soft or name=soft:hard')
  const [, name = '', softText = '', hardText = softText] = match
  const type = `RLIMIT_${name.toUpperCase()}`
  if (!isRlimitName(type))
    refuseOption('ulimit', text, `${JSON.stringify(name)} is not a limit of Linux`)
  const soft = parseLimit(softText, text)
  const hard = parseLimit(hardText, text)
  if (soft > hard) refuseOption('ulimit', text, 'the soft limit is above the hard one')
  return { type, hard, soft }
}

function parseLimit(value: string, text: string): number {
  if (value === '-1' || value === 'unlimited') return UNLIMITED
  const number = Number(value)
  if (/^\d+$/.test(value) && Number.isSafeInteger(number)) return number
  return refuseOption(
    'ulimit',
    text,
    `${JSON.stringify(value)} is not a whole number, -1 or unlimited`,
  )
}
