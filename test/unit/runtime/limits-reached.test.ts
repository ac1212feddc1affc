import { describe, expect, it } from 'vitest'
import { describeReachedLimit } from '../../../src/runtime/limits-reached.ts'

const MEMORY = { resource: 'memory', counter: 'memory.events oom_kill', count: 1 } as const

describe('describeReachedLimit()', () => {
  it('names limit, cgroup, peak and counter', () => {
    const limit = { cgroup: '/c/a', file: 'memory.max', limit: '16777216', peak: '16773120' }
    expect(describeReachedLimit({ ...MEMORY, owner: 'container', ...limit })).toBe(
      'the kernel killed 1 of its processes for want of memory: memory.max of its own cgroup (/c/a) is 16.78MB (16777216 bytes), peak 16.77MB (16773120 bytes) (memory.events oom_kill: 1)',
    )
    expect(describeReachedLimit({ ...MEMORY, owner: 'ancestor', ...limit })).toContain(
      'memory.max of a cgroup above its own (/c/a) is 16.78MB',
    )
  })

  it('says so when it was the host', () => {
    expect(describeReachedLimit({ ...MEMORY, owner: 'host' })).toBe(
      'the kernel killed 1 of its processes for want of memory: the host itself had none left, no cgroup was at its limit (memory.events oom_kill: 1)',
    )
  })

  it('counts processes as processes', () => {
    const reached = { resource: 'pids', owner: 'container', counter: 'pids.events max' } as const
    expect(
      describeReachedLimit({ ...reached, cgroup: '/c/a', file: 'pids.max', limit: '20', count: 3 }),
    ).toBe(
      'the kernel refused it new processes 3 times: pids.max of its own cgroup (/c/a) is 20 (pids.events max: 3)',
    )
  })
})
