/**
 * What is in a cgroup and in those below it, which others may change meanwhile. A container that may write
 * in its own can nest them as deep as it likes, so none is named by its whole path: that may be longer than
 * any call takes (PATH_MAX), and the stack no deeper than the tree.
 */
import { constants, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf } from '../errors.ts'
import { type OwnedFd, openIfThere } from '../native/owned-fd.ts'
import { readIfThere } from './read-if-there.ts'

export interface CgroupVisit {
  /** `enter`: a cgroup, before those below it. `leave`: one but the first, after those below it. */
  readonly kind: 'enter' | 'leave'
  /** Leads there until the next visit. */
  readonly path: string
}

/** Visits `directory` and all below it; nothing when it is not there. What goes meanwhile is left out. */
export function* walkCgroups(directory: string): Generator<CgroupVisit, void> {
  const first = openFolder(directory)
  if (first === undefined) return
  let current: OwnedFd = first
  // The names that are still to do on each level, and those that led here.
  const pending: string[][] = []
  const names: string[] = []
  try {
    yield { kind: 'enter', path: pathOf(current) }
    pending.push(childrenOf(current))
    for (;;) {
      const below = pending.at(-1)?.pop()
      if (below !== undefined) {
        const child = openFolder(`${pathOf(current)}/${below}`)
        if (child === undefined) continue
        current.close()
        current = child
        names.push(below)
        yield { kind: 'enter', path: pathOf(current) }
        pending.push(childrenOf(current))
        continue
      }
      pending.pop()
      const name = names.pop()
      // The way back may be gone with what is there.
      const parent: OwnedFd | undefined =
        name === undefined ? undefined : openFolder(`${pathOf(current)}/..`)
      if (parent === undefined) return
      current.close()
      current = parent
      yield { kind: 'leave', path: `${pathOf(current)}/${name}` }
    }
  } finally {
    current.close()
  }
}

/** Host pids of all processes in `directory` and below. */
export function cgroupProcesses(directory: string): readonly number[] {
  const pids: number[] = []
  for (const { kind, path } of walkCgroups(directory)) {
    if (kind !== 'enter') continue
    for (const line of readIfThere(join(path, 'cgroup.procs')).split('\n'))
      if (line !== '') pids.push(Number(line))
  }
  return pids
}

function openFolder(path: string): OwnedFd | undefined {
  return openIfThere(path, constants.O_RDONLY | constants.O_DIRECTORY)
}

function pathOf({ fd }: OwnedFd): string {
  return `/proc/self/fd/${fd}`
}

function childrenOf(folder: OwnedFd): string[] {
  try {
    return readdirSync(pathOf(folder), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return []
    throw error
  }
}
