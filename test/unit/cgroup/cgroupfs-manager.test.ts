import { describe, expect, it } from 'vitest'
import { cgroupPath } from '../../../src/cgroup/cgroupfs-manager.ts'
import type { CgroupHierarchy } from '../../../src/cgroup/detect.ts'

const hierarchy: CgroupHierarchy = { mountPoint: '/cg', mode: 'unified', v1Controllers: new Map() }

describe('cgroupPath()', () => {
  it.each([
    [undefined, '/cg/tsrun/id'],
    ['', '/cg/tsrun/id'],
    ['/a/b', '/cg/a/b'],
    ['/', '/cg/'],
    ['/../../etc', '/cg/etc'],
    ['/a/../../b', '/cg/b'],
    ['a', '/cg/a'],
    ['a/b', '/cg/a/b'],
    ['../../../../../../../../x', '/cg/x'],
  ])('%j is %s', (given, path) => {
    expect(cgroupPath(hierarchy, given, 'id')).toBe(path)
  })
})
