/** memory.checkBeforeUpdate against a directory that stands for a cgroup. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { LiveCgroup } from '../../../src/cgroup/live-cgroup.ts'
import { refuseBelowUsage } from '../../../src/cgroup/refuse-below-usage.ts'

describe('refuseBelowUsage()', () => {
  it('refuses a limit below what is used, where it is asked to look [config-linux.md#memory/1]', () => {
    const path = mkdtempSync(join(tmpdir(), 'tsrun-cgroup-'))
    writeFileSync(join(path, 'memory.current'), '4096\n')
    const cgroup = new LiveCgroup(path)
    const refuse = (limit: number, checkBeforeUpdate: boolean) => () =>
      refuseBelowUsage(cgroup, { memory: { limit, checkBeforeUpdate } })
    expect(refuse(4095, true)).toThrow('the container uses 4096 bytes')
    for (const limit of [4096, 8192, 0, -1]) expect(refuse(limit, true)).not.toThrow()
    expect(refuse(4095, false)).not.toThrow()
    rmSync(path, { recursive: true })
  })
})
