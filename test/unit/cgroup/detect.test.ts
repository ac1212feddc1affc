import { describe, expect, test } from 'vitest'
import { findCgroups } from '../../../src/cgroup/detect.ts'

const V2 = '31 23 0:38 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate'
const HYBRID = [
  '31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755',
  '35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
  '36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct',
  '41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw',
].join('\n')

describe('findCgroups()', () => {
  test('finds the unified hierarchy', () => {
    const found = findCgroups(V2)
    expect(found?.mountPoint).toBe('/sys/fs/cgroup')
    expect(found?.mode).toBe('unified')
  })

  test('finds the cgroup2 mount of a hybrid host and where v1 has each controller', () => {
    const found = findCgroups(HYBRID)
    expect(found?.mountPoint).toBe('/sys/fs/cgroup/unified')
    expect(found?.mode).toBe('hybrid')
    expect(found?.v1Controllers.get('memory')).toBe('/sys/fs/cgroup/memory')
    expect(found?.v1Controllers.get('cpuacct')).toBe('/sys/fs/cgroup/cpu,cpuacct')
  })

  test('prefers /sys/fs/cgroup over other cgroup2 mounts', () => {
    const other = '50 23 0:39 / /mnt/cg rw - cgroup2 none rw'
    expect(findCgroups(`${other}\n${V2}`)?.mountPoint).toBe('/sys/fs/cgroup')
  })

  test('finds nothing on a host without cgroup2', () => {
    expect(findCgroups('1 0 8:1 / / rw - ext4 /dev/sda1 rw\ngarbage')).toBeUndefined()
  })
})
