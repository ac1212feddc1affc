import { expect, test } from 'vitest'
import { compileCriu } from '../../../src/plan/compile-criu.ts'
import { formatPlan } from '../../../src/plan/format-plan.ts'

const COMMON = {
  architecture: 'x86_64',
  program: '/usr/sbin/criu',
  environment: ['PATH=/usr/sbin:/usr/bin'],
} as const

test('a dump becomes criu at once', async () => {
  const plan = compileCriu({ ...COMMON, keptDescriptors: 1 })
  await expect(formatPlan(plan)).toMatchFileSnapshot('../../golden/criu-dump.txt')
})

test('a restore lays out the root filesystem first', async () => {
  const plan = compileCriu({
    ...COMMON,
    keptDescriptors: 2,
    restore: {
      rootfs: '/b/rootfs',
      place: '/run/tsrun/c',
      bundle: '/b',
      config: {
        ociVersion: '1.3.0',
        mounts: [
          { destination: '/proc', type: 'proc', source: 'proc' },
          { destination: '/dev', type: 'tmpfs', source: 'tmpfs' },
          // In a tmpfs, whose content criu restores; and with /sys.
          { destination: '/dev/pts', type: 'devpts', source: 'devpts' },
          { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup' },
          { destination: '/data/in', source: 'data', options: ['rbind'] },
        ],
      },
    },
  })
  await expect(formatPlan(plan)).toMatchFileSnapshot('../../golden/criu-restore.txt')
})
