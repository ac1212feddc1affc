/** What this process has open, for tests that look for leaks. */
import { readdirSync, readlinkSync } from 'node:fs'

// Kept for the next container: the sealed executables, 16 device programs at most, and one poller.
const KEPT =
  /^(anon_inode:(bpf-prog|\[eventpoll\]|\[eventfd\])|\/memfd:tsrun-(init|monitor|reaper) \(deleted\))$/

/** Targets of this process's descriptors, sorted, without what tsrun keeps on purpose. */
export function ownDescriptors(): readonly string[] {
  return readdirSync('/proc/self/fd')
    .map((fd) => linkTarget(`/proc/self/fd/${fd}`))
    .filter((target) => !KEPT.test(target) && !target.startsWith('/proc/'))
    .sort()
}

function linkTarget(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return '/proc/gone' // The descriptor of the listing itself.
  }
}
