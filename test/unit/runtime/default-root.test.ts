import { describe, expect, it } from 'vitest'
import { defaultRuntimeRoot } from '../../../src/runtime/default-root.ts'

const ROOT = { uid: 0, isHostRoot: true }
const USER = { uid: 1000, isHostRoot: false }
const NESTED = { uid: 0, isHostRoot: false }

describe('defaultRuntimeRoot()', () => {
  it('is below XDG_RUNTIME_DIR for all but root', () => {
    const env = { XDG_RUNTIME_DIR: '/run/user/1000' }
    expect(defaultRuntimeRoot(env, USER)).toEqual({ path: '/run/user/1000/tsrun', isUsers: true })
    expect(defaultRuntimeRoot(env, ROOT)).toEqual({ path: '/run/tsrun', isUsers: false })
  })

  it('is there for root of a user namespace too, unless that is root by name', () => {
    const env = { XDG_RUNTIME_DIR: '/run/user/1000' }
    expect(defaultRuntimeRoot(env, NESTED).path).toBe('/run/user/1000/tsrun')
    expect(defaultRuntimeRoot({ ...env, USER: 'root' }, NESTED).path).toBe('/run/tsrun')
    expect(defaultRuntimeRoot({}, NESTED).path).toBe('/run/tsrun')
  })

  it.each([{}, { XDG_RUNTIME_DIR: '' }])('tells a user without one how to get it: %j', (env) => {
    expect(() => defaultRuntimeRoot(env, USER)).toThrow(
      expect.objectContaining({
        message: expect.stringContaining('XDG_RUNTIME_DIR is not set'),
        hint: expect.stringContaining('/run/user/1000'),
      }),
    )
  })
})
