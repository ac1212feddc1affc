import { describe, expect, it } from 'vitest'
import { defaultRuntimeRoot } from '../../../src/runtime/default-root.ts'

describe('defaultRuntimeRoot()', () => {
  it('is in $XDG_RUNTIME_DIR for users, in /run for root', () => {
    const env = { XDG_RUNTIME_DIR: '/run/user/1000' }
    expect(defaultRuntimeRoot(env, 1000)).toBe('/run/user/1000/tsrun')
    expect(defaultRuntimeRoot(env, 0)).toBe('/run/tsrun')
    expect(defaultRuntimeRoot({ XDG_RUNTIME_DIR: '' }, 1000)).toBe('/run/tsrun')
  })
})
