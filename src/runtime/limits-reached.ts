/** The limits that a container has run into, in words: what its end is explained with. */
import { detectCgroups } from '../cgroup/detect.ts'
import { limitsReached, type ReachedLimit } from '../cgroup/limits-reached.ts'
import type { ContainerRecord } from '../state/container-record.ts'
import { humanSize } from '../util/size.ts'

export type { ReachedLimit }

/** None where nothing counts, and once the cgroup is gone. */
export function limitsReachedBy(record: ContainerRecord): readonly ReachedLimit[] {
  const hierarchy = detectCgroups()
  if (record.cgroup === undefined || hierarchy === undefined) return []
  return limitsReached(hierarchy.mountPoint, record.cgroup, record.oomsAbove ?? {})
}

/** `the kernel killed 1 process …`: a sentence without its end. */
export function describeReachedLimit(reached: ReachedLimit): string {
  const { resource, counter, count, peak } = reached
  const what =
    resource === 'memory'
      ? `the kernel killed ${count} of its processes for want of memory`
      : `the kernel refused it new processes ${count} ${count === 1 ? 'time' : 'times'}`
  const amount = (text: string): string => (resource === 'memory' ? bytes(text) : text)
  const most = peak === undefined ? '' : `, peak ${amount(peak)}`
  return `${what}: ${ownerOf(reached, amount)}${most} (${counter}: ${count})`
}

function ownerOf(
  { owner, cgroup = '', file = '', limit = '' }: ReachedLimit,
  amount: (text: string) => string,
): string {
  if (owner === 'host') return 'the host itself had none left, no cgroup was at its limit'
  const whose = owner === 'container' ? 'its own cgroup' : 'a cgroup above its own'
  const value = limit === '' ? 'was reached' : `is ${amount(limit)}`
  return `${file} of ${whose} (${cgroup}) ${value}`
}

function bytes(text: string): string {
  return /^\d+$/.test(text) ? `${humanSize(Number(text))} (${text} bytes)` : text
}
