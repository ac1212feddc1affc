/** Reads files of cgroups that others may remove meanwhile. */
import { readFileSync } from 'node:fs'
import { errnoCodeOf } from '../errors.ts'

/** The file's text; empty when it, or its cgroup, is not there. */
export function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const code = errnoCodeOf(error)
    if (code === 'ENOENT' || code === 'ENODEV') return ''
    throw error
  }
}
