/** `events`: the usage of a container now and then, and a word when the kernel killed for want of memory. */
import { existsSync, type FSWatcher, readFileSync, watch } from 'node:fs'
import { join } from 'node:path'
import { readCgroupStats } from '../cgroup/stats.ts'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { loadContainer } from './load-container.ts'
import { statsEvent } from './stats-event.ts'
import { containerStatus } from './status.ts'

/** The usage of container `id` at this moment, as an event. Throws `not-found`, `failed-precondition`. */
export async function containerStats(root: string, id: string): Promise<object> {
  return statsEvent(id, readCgroupStats(await liveCgroup(root, id)))
}

export interface FollowOptions {
  readonly id: string
  readonly intervalMs: number
  readonly emit: (event: object) => void
  /** Hears of a failed look at the usage: the next may work. */
  readonly warn: (problem: unknown) => void
}

/** Emits events until the container's last process has ended. Throws as {@link containerStats}. */
export async function followEvents(root: string, options: FollowOptions): Promise<void> {
  await followCgroup(await liveCgroup(root, options.id), options)
}

/** As {@link followEvents}, of the cgroup at a path. */
export async function followCgroup(cgroup: string, options: FollowOptions): Promise<void> {
  const { id, intervalMs, emit, warn } = options
  const watchers: FSWatcher[] = []
  let timer: NodeJS.Timeout | undefined
  try {
    await new Promise<void>((resolve, reject) => {
      const endIfEmpty = (): void => {
        if (counter(cgroup, 'cgroup.events', 'populated') !== 1) resolve()
      }
      // The kernel tells inotify of a change of these files (cgroup-v2.rst, "Core Interface Files").
      const follow = (file: string, changed: () => void): void => {
        watchers.push(watch(join(cgroup, file), changed).on('error', reject))
      }
      follow('cgroup.events', endIfEmpty)
      if (existsSync(join(cgroup, 'memory.events'))) {
        let killed = counter(cgroup, 'memory.events', 'oom_kill') ?? 0
        follow('memory.events', () => {
          const now = counter(cgroup, 'memory.events', 'oom_kill') ?? killed
          if (now > killed) emit({ type: 'oom', id })
          killed = now
        })
      }
      timer = setInterval(() => {
        try {
          emit(statsEvent(id, readCgroupStats(cgroup)))
        } catch (error) {
          warn(error)
        }
      }, intervalMs)
      // It may have ended before the watch began.
      endIfEmpty()
    })
  } finally {
    clearInterval(timer)
    for (const watcher of watchers) watcher.close()
  }
}

async function liveCgroup(root: string, id: string): Promise<string> {
  const record = await loadContainer(root, id)
  if (containerStatus(root, record) === 'stopped')
    throw new TsrunError('failed-precondition', `container with id ${id} is not running`)
  if (record.cgroup !== undefined) return record.cgroup
  throw new TsrunError(
    'failed-precondition',
    `cannot read the usage of container "${id}": it has no cgroup of its own`,
    { hint: 'create it without --cgroup-manager disabled, on a host with cgroup v2' },
  )
}

/** A counter of a flat keyed file, undefined when the cgroup is gone. */
function counter(cgroup: string, file: string, key: string): number | undefined {
  try {
    const text = readFileSync(join(cgroup, file), 'utf8')
    const line = text.split('\n').find((entry) => entry.startsWith(`${key} `))
    return line === undefined ? undefined : Number(line.slice(key.length + 1))
  } catch (error) {
    const code = errnoCodeOf(error)
    if (code === 'ENOENT' || code === 'ENODEV') return undefined
    throw error
  }
}
