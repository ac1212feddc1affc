import { describe, expect, test } from 'vitest'
import { isKernelDefault } from '../../../src/cgroup/kernel-defaults.ts'
import { resourcesToFiles } from '../../../src/cgroup/resources-to-files.ts'
import type { Resources } from '../../../src/oci/runtime-config.ts'

const verdicts = (resources: Resources): readonly boolean[] =>
  resourcesToFiles(resources).map(isKernelDefault)

describe('isKernelDefault', () => {
  test.each<[string, Resources]>([
    ['1024 shares', { cpu: { shares: 1024 } }],
    ['no quota', { cpu: { quota: -1 } }],
    ['no quota in the usual period', { cpu: { quota: -1, period: 100_000 } }],
    ['unlimited processes', { pids: { limit: -1 } }],
    ['unlimited memory, and with it swap', { memory: { limit: -1 } }],
  ])('%s', (_, resources) => {
    expect(verdicts(resources)).not.toEqual([])
    expect(verdicts(resources)).not.toContain(false)
  })

  test.each<[string, Resources]>([
    ['512 shares', { cpu: { shares: 512 } }],
    ['a quota', { cpu: { quota: 50_000, period: 100_000 } }],
    ['one process', { pids: { limit: 0 } }],
    ['memory', { memory: { limit: 1 << 20 } }],
    ['a file it has no default for', { unified: { 'memory.high': 'max' } }],
    ['cpus', { cpu: { cpus: '0' } }],
  ])('not %s', (_, resources) => {
    expect(verdicts(resources)).not.toEqual([])
    expect(verdicts(resources)).not.toContain(true)
  })
})
