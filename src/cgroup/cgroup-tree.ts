/** What is in a cgroup and in those below it, which others may change meanwhile. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf } from '../errors.ts'
import { readIfThere } from './read-if-there.ts'

/** `directory` and all below it, parents first; none when it is not there. */
export function cgroupDirectories(directory: string): readonly string[] {
  let entries: readonly string[]
  try {
    entries = readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(directory, entry.name))
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return []
    throw error
  }
  return [directory, ...entries.flatMap(cgroupDirectories)]
}

/** Host pids of all processes in `directory` and below. */
export function cgroupProcesses(directory: string): readonly number[] {
  return cgroupDirectories(directory).flatMap((each) =>
    readIfThere(join(each, 'cgroup.procs'))
      .split('\n')
      .filter((line) => line !== '')
      .map(Number),
  )
}
