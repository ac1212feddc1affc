import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { namesIn, readTextIfThere } from '../../../src/util/if-there.ts'

const missing = join(tmpdir(), 'tsrun-nothing-is-here')

describe('readTextIfThere()', () => {
  it('is undefined only for what is not there', () => {
    expect(readTextIfThere('/proc/self/comm')).toMatch(/\n$/)
    expect(readTextIfThere(missing)).toBeUndefined()
    expect(() => readTextIfThere(tmpdir())).toThrow('EISDIR')
  })
})

describe('namesIn()', () => {
  it('is empty only for what is not there', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tsrun-names-'))
    try {
      const file = join(folder, 'file')
      writeFileSync(file, '')
      expect(namesIn(folder)).toEqual(['file'])
      expect(namesIn(missing)).toEqual([])
      expect(() => namesIn(file)).toThrow('ENOTDIR')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
