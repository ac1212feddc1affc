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
  ])('%j is %s', (given, path) => {
    expect(cgroupPath(hierarchy, given, 'id')).toBe(path)
  })

  it('takes a relative path below our own cgroup, and never out of the mount [config-linux.md#cgroups-path/1]', () => {
    expect(cgroupPath(hierarchy, 'a', 'id')).toMatch(/^\/cg\/(.*\/)?a$/)
    expect(cgroupPath(hierarchy, '../../../../../../../../x', 'id')).toBe('/cg/x')
  })
})
