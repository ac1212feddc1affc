/** Freezing and thawing that the kernel does not carry out, against a directory that stands for a cgroup. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LiveCgroup } from '../../../src/cgroup/live-cgroup.ts'

describe('LiveCgroup.freeze()', () => {
  let path: string
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'tsrun-cgroup-'))
  })
  afterEach(() => rmSync(path, { recursive: true }))

  const freeze = (frozen: boolean) => () => new LiveCgroup(path).freeze(frozen, 20)
  const written = (): string => readFileSync(join(path, 'cgroup.freeze'), 'utf8')

  it('takes a freeze back that does not come about, and says what to look for', () => {
    writeFileSync(join(path, 'cgroup.events'), 'populated 1\nfrozen 0\n')
    expect(freeze(true)).toThrow(
      `cannot freeze the cgroup ${path}: not all of it did within 0.02 s`,
    )
    expect(written()).toBe('0')
  })

  it('says that a cgroup stays frozen', () => {
    writeFileSync(join(path, 'cgroup.events'), 'populated 1\nfrozen 1\n')
    expect(freeze(false)).toThrow(`cannot thaw the cgroup ${path}: not all of it did within 0.02 s`)
  })

  it('is content with what is so, and with a cgroup whose processes have ended', () => {
    writeFileSync(join(path, 'cgroup.events'), 'populated 1\nfrozen 1\n')
    expect(freeze(true)).not.toThrow()
    rmSync(join(path, 'cgroup.events'))
    expect(freeze(true)).not.toThrow()
  })
})
