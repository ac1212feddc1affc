/**
 * Which descriptors are the caller's. The engine (Node, Bun) opens its own before our first line, in
 * whatever numbers are free: an event loop in the hands of a container would be ours to lose.
 */
import { readlinkSync } from 'node:fs'

/** Numbers after 2 that were open when the launcher began; it looks only when some are to be preserved. */
const LIST = 'TSRUN_INHERITED'
/** What an engine opens before our first line, where nobody has made the list. */
const OF_ENGINES = /^(anon_inode:.*|\/proc\/gone)$/

/** Tells for each descriptor whether it is open and was open before this program. */
export function inheritedDescriptors(env: NodeJS.ProcessEnv): (fd: number) => boolean {
  const list = env[LIST]
  if (list === undefined) return (fd) => !OF_ENGINES.test(targetOf(fd))
  const numbers = new Set(list.split(' ').filter((word) => word !== ''))
  return (fd) => numbers.has(String(fd))
}

function targetOf(fd: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return '/proc/gone' // Not open.
  }
}
