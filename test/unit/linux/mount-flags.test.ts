import { describe, expect, it } from 'vitest'
import { MS_REC, OPEN_TREE_CLOEXEC, PROPAGATION_FLAGS } from '../../../src/linux/mount-flags.ts'
import { O_CLOEXEC, openFlagsFor } from '../../../src/linux/open-flags.ts'

describe('mount-flags', () => {
  it('PROPAGATION_FLAGS adds MS_REC to the r forms only', () => {
    for (const mode of ['private', 'slave', 'shared', 'unbindable']) {
      expect(PROPAGATION_FLAGS[`r${mode}`]).toBe((PROPAGATION_FLAGS[mode] ?? 0) | MS_REC)
    }
  })

  it('OPEN_TREE_CLOEXEC equals O_CLOEXEC', () => {
    expect(OPEN_TREE_CLOEXEC).toBe(O_CLOEXEC)
  })
})

describe('open-flags', () => {
  it('openFlagsFor() permutes the flags of arm64', () => {
    expect(openFlagsFor('x86_64').O_DIRECTORY).toBe(0o200000)
    expect(openFlagsFor('aarch64').O_DIRECTORY).toBe(0o40000)
    expect(openFlagsFor('x86_64').O_NOFOLLOW).toBe(0o400000)
    expect(openFlagsFor('aarch64').O_NOFOLLOW).toBe(0o100000)
  })
})
