/** lockFile(): waits neither block the pool nor one another. */
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { lockFile, tryLockFile } from '../../src/native/file-lock.ts'
import { children } from './start-init.ts'

let directory = ''

describe('lockFile()', () => {
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'tsrun-lock-'))
  })
  afterEach(() => {
    rmSync(directory, { recursive: true, force: true })
  })

  it('gives the lock to one at a time, and leaves no process behind', async () => {
    const path = join(directory, 'lock')
    const before = children()
    let inside = 0
    let most = 0
    await Promise.all(
      Array.from({ length: 12 }, async () => {
        using _lock = await lockFile(path, 'exclusive')
        most = Math.max(most, ++inside)
        await readFile('/proc/self/stat')
        inside--
      }),
    )
    expect(most).toBe(1)
    expect(children()).toEqual(before)
    expect(tryLockFile(path, 'exclusive')?.close()).toBeUndefined()
  })

  it('ends a wait when told, and leaves neither lock nor process behind', async () => {
    const path = join(directory, 'lock')
    const before = children()
    const held = await lockFile(path, 'exclusive')
    const abort = new AbortController()
    const waiting = lockFile(path, 'exclusive', abort.signal)
    abort.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await expect(lockFile(path, 'exclusive', abort.signal)).rejects.toThrow('enough')
    expect(children()).toEqual(before)
    held.close()
    tryLockFile(path, 'exclusive')?.close()
    const free = tryLockFile(path, 'exclusive')
    expect(free).toBeDefined()
    free?.close()
  })

  it('shares what is shared', async () => {
    const path = join(directory, 'lock')
    using _one = await lockFile(path, 'shared')
    using _two = await lockFile(path, 'shared')
    expect(tryLockFile(path, 'exclusive')).toBeUndefined()
  })

  it('lets a holder of one lock wait for another while others wait for the first', async () => {
    const [first, second] = ['first', 'second'].map((name) => join(directory, name)) as [
      string,
      string,
    ]
    const held = await lockFile(first, 'exclusive')
    const foreign = await lockFile(second, 'exclusive')
    // Waits for us, who wait for the second lock.
    const behindUs = lockFile(first, 'exclusive')
    const ours = lockFile(second, 'exclusive')
    await readFile('/proc/self/stat')
    foreign.close()
    const got = await ours
    got.close()
    held.close()
    const last = await behindUs
    last.close()
  }, 10_000)
})
