import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { limitsReached, oomCountsAbove } from '../../../src/cgroup/limits-reached.ts'
import { createTempDir, type TempDir } from '../../support/temp-dir.ts'

function tree(files: Readonly<Record<string, string>>): TempDir {
  const directory = createTempDir()
  for (const [name, text] of Object.entries(files)) {
    const path = join(directory.path, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  return directory
}

const KILLED = 'low 0\nhigh 0\nmax 5\noom 0\noom_kill 2\noom_group_kill 0\n'

describe('limitsReached()', () => {
  it('is nothing of a container that ended in peace, and of one whose cgroup is gone', () => {
    using root = tree({ 'a/memory.events': 'oom 0\noom_kill 0\n', 'a/pids.events': 'max 0\n' })
    expect(limitsReached(root.path, join(root.path, 'a'), {})).toEqual([])
    expect(limitsReached(root.path, join(root.path, 'b'), {})).toEqual([])
  })

  it('names the limit of the container itself', () => {
    using root = tree({
      'a/memory.events': KILLED.replace('oom 0', 'oom 3'),
      'a/memory.max': '1048576\n',
      'a/memory.peak': '1044480\n',
    })
    const path = join(root.path, 'a')
    expect(limitsReached(root.path, path, {})).toEqual([
      {
        resource: 'memory',
        owner: 'container',
        cgroup: path,
        file: 'memory.max',
        limit: '1048576',
        peak: '1044480',
        counter: 'memory.events oom_kill',
        count: 2,
      },
    ])
  })

  it('names the nearest cgroup above whose own counter moved since the container was made', () => {
    using root = tree({
      'top/memory.events.local': 'oom 7\noom_kill 0\n',
      'top/memory.max': 'max\n',
      'top/pod/memory.events.local': 'oom 4\noom_kill 0\n',
      'top/pod/memory.max': '2097152\n',
      'top/pod/a/memory.events': KILLED,
    })
    const path = join(root.path, 'top/pod/a')
    const before = { [join(root.path, 'top')]: 7, [join(root.path, 'top/pod')]: 3 }
    expect(limitsReached(root.path, path, before)).toMatchObject([
      { owner: 'ancestor', cgroup: join(root.path, 'top/pod'), limit: '2097152' },
    ])
    expect(oomCountsAbove(root.path, path)).toEqual({ ...before, [join(root.path, 'top/pod')]: 4 })
  })

  it('blames the host when no limit was reached', () => {
    using root = tree({ 'pod/memory.events.local': 'oom 4\n', 'pod/a/memory.events': KILLED })
    const pod = join(root.path, 'pod')
    const [reached] = limitsReached(root.path, join(pod, 'a'), { [pod]: 4 })
    expect(reached).toEqual({
      resource: 'memory',
      owner: 'host',
      counter: 'memory.events oom_kill',
      count: 2,
    })
  })

  it('counts refused processes', () => {
    using root = tree({ 'a/pids.events': 'max 9\n', 'a/pids.max': '20\n', 'a/pids.peak': '20\n' })
    expect(limitsReached(root.path, join(root.path, 'a'), {})).toMatchObject([
      { resource: 'pids', limit: '20', peak: '20', counter: 'pids.events max', count: 9 },
    ])
  })
})
