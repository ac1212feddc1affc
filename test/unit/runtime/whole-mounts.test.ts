import { describe, expect, it } from 'vitest'
import { findWholeMounts } from '../../../src/runtime/whole-mounts.ts'

const MOUNTINFO = [
  '22 1 0:21 / /proc rw,nosuid shared:1 - proc proc rw',
  '23 1 0:22 / /sys rw - sysfs sysfs rw',
  '24 22 0:21 /sys /proc/sys ro - proc proc rw',
  '25 1 0:23 / /bundle/rootfs/proc rw - proc proc rw',
  '26 1 0:24 / /bundle/rootfs2/my\\040proc rw - proc proc rw',
  '27 1 0:25 / /tmp rw - tmpfs tmpfs rw',
].join('\n')

describe('findWholeMounts()', () => {
  it('names what shows a whole procfs or sysfs outside the root filesystem', () => {
    expect(findWholeMounts('/bundle/rootfs', MOUNTINFO)).toEqual([
      '/proc',
      '/sys',
      '/bundle/rootfs2/my proc',
    ])
  })
})
