import { describe, expect, it } from 'vitest'
import { createDeferred } from '../../../src/util/deferred.ts'

describe('createDeferred()', () => {
  it('resolves and rejects from outside', async () => {
    const good = createDeferred<number>()
    good.resolve(1)
    await expect(good.promise).resolves.toBe(1)
    const bad = createDeferred<number>()
    bad.reject(new Error('no'))
    await expect(bad.promise).rejects.toThrow('no')
  })
})
