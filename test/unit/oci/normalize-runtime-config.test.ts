import { describe, expect, it } from 'vitest'
import { removeNulls, runtimeConfigWarnings } from '../../../src/oci/normalize-runtime-config.ts'

describe('removeNulls()', () => {
  it('removes null fields at every depth but keeps null items', () => {
    expect(removeNulls({ a: null, b: { c: null, d: 1 }, e: [null, { f: null }] })).toEqual({
      b: { d: 1 },
      e: [null, {}],
    })
    expect(removeNulls(null)).toBeNull()
  })
})

describe('runtimeConfigWarnings()', () => {
  it('names unknown capabilities once', () => {
    const warnings = runtimeConfigWarnings({
      ociVersion: '1.0.0',
      process: {
        cwd: '/',
        capabilities: { bounding: ['CAP_NEW'], effective: ['CAP_NEW', 'CAP_KILL'] },
      },
    })
    expect(warnings).toEqual([
      'process.capabilities.bounding: no capability of Linux is named "CAP_NEW"',
    ])
  })
})
