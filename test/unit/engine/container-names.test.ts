import { describe, expect, it } from 'vitest'
import { checkName, randomName } from '../../../src/engine/container-names.ts'

describe('checkName()', () => {
  it('takes what docker takes', () => {
    for (const name of ['ab', 'A.b-c_d', '0x', 'x'.repeat(128)]) checkName(name)
  })

  it('refuses the rest by name', () => {
    for (const name of ['', 'a', '-ab', '.ab', 'a/b', 'a b', '../x', 'x'.repeat(129)]) {
      expect(() => checkName(name)).toThrow(`container name "${name}"`)
    }
  })
})

describe('randomName()', () => {
  it('makes names that are allowed, with digits once many are taken', () => {
    for (let attempt = 0; attempt < 12; attempt++) {
      const name = randomName(attempt)
      checkName(name)
      expect(/\d/.test(name)).toBe(attempt >= 3)
    }
  })
})
