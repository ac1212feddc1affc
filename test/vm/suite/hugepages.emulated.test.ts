/** hugepageLimits hold; runc and crun are the oracles. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { installedRuntimes, makeRuntime, type Runtime } from '../../support/runtime.ts'
import { eventually, startLimited } from './limited-container.ts'

const LIMIT = 4 << 20
const SCRIPT = [
  `fallocate -l ${LIMIT} /huge/within && touch /within`,
  `fallocate -l ${LIMIT} /huge/beyond || touch /refused`,
  'exec sleep 1000',
].join('\n')

describe.each(installedRuntimes())('%s', (name) => {
  let runtime: Runtime
  beforeEach(() => {
    runtime = makeRuntime(name)
  })
  afterEach(() => runtime[Symbol.dispose]())

  it('gives as many huge pages as the limit says', async () => {
    using container = startLimited(
      runtime,
      SCRIPT,
      { hugepageLimits: [{ pageSize: '2MB', limit: LIMIT }] },
      (config) => ({
        ...config,
        root: { path: 'rootfs', readonly: false },
        mounts: [
          ...(config.mounts ?? []),
          {
            destination: '/huge',
            source: 'hugetlbfs',
            type: 'hugetlbfs',
            options: ['pagesize=2M'],
          },
        ],
      }),
    )
    const isMade = (file: string): boolean => existsSync(join(container.bundle.rootfs, file))
    await eventually(() => expect(isMade('refused')).toBe(true), 200)
    expect(isMade('within')).toBe(true)
    expect(container.read('hugetlb.2MB.max')).toBe(`${LIMIT}`)
    // crun limits what is used and not what is reserved (docs/compatibility.md).
    const reserved = name === 'crun' ? 'max' : `${LIMIT}`
    expect(container.read('hugetlb.2MB.rsvd.max')).toBe(reserved)
    expect(container.read('hugetlb.2MB.current')).toBe(`${LIMIT}`)
    // Other sizes keep what they had.
    expect(readFileSync(join(container.cgroup, 'hugetlb.1GB.max'), 'utf8')).toBe('max\n')
  })
})
