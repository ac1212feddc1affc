import { describe, expect, it } from 'vitest'
import { digestProblem, formatDigest, isDigest, parseDigest } from '../../../src/oci/digest.ts'

const HEX = 'a'.repeat(64)

describe('parseDigest()', () => {
  it('reads sha256 and sha512 and formatDigest() writes them back', () => {
    expect(parseDigest(`sha256:${HEX}`)).toEqual({ algorithm: 'sha256', hex: HEX })
    const long = `sha512:${'0f'.repeat(64)}`
    expect(formatDigest(parseDigest(long))).toBe(long)
  })

  it.each([
    '',
    'sha256',
    `sha256:${HEX}a`,
    `sha256:${HEX.slice(1)}`,
    `sha256:${HEX.toUpperCase()}`,
    `SHA256:${HEX}`,
    `md5:${'a'.repeat(32)}`,
    `sha256:../../${'a'.repeat(58)}`,
    `sha256:${'a'.repeat(63)}\n`,
    `sha256:${'a'.repeat(63)}\0`,
    `toString:${HEX}`,
    `sha256:${HEX}:x`,
  ])('refuses %j with a reason', (text) => {
    expect(isDigest(text)).toBe(false)
    expect(digestProblem(text)).toMatch(/^its? /)
    expect(() => parseDigest(text)).toThrow(/^cannot use digest /)
  })
})
