/** Reads files of cgroups that others may remove meanwhile. */
import { readTextIfThere } from '../util/if-there.ts'

/** The file's text; empty when it, or its cgroup, is not there. */
export function readIfThere(path: string): string {
  return readTextIfThere(path) ?? ''
}
