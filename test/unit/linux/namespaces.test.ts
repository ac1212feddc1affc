import { describe, expect, it } from 'vitest'
import { isNamespaceKind, NAMESPACES } from '../../../src/linux/namespaces.ts'

describe('namespaces', () => {
  it('NAMESPACES gives each type one clone flag bit of its own', () => {
    const flags = Object.values(NAMESPACES).map((facts) => facts.cloneFlag)
    expect(new Set(flags).size).toBe(8)
    for (const flag of flags) expect(flag & (flag - 1)).toBe(0)
  })

  it('NAMESPACES names the /proc files that differ from the type', () => {
    expect(NAMESPACES.network.procFile).toBe('net')
    expect(NAMESPACES.mount.procFile).toBe('mnt')
  })

  it('isNamespaceKind() refuses /proc spellings and inherited names', () => {
    expect(isNamespaceKind('network')).toBe(true)
    expect(isNamespaceKind('net')).toBe(false)
    expect(isNamespaceKind('toString')).toBe(false)
  })
})
