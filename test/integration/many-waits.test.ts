/** Waits that may last: however many there are, libuv's threads stay free for files, zlib and names. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { newRecord } from '../../src/engine/build-container.ts'
import { ContainerStore } from '../../src/engine/container-store.ts'
import { waitForProcess } from '../../src/engine/wait-container.ts'
import { receiveDescriptor } from '../../src/native/pass-descriptors.ts'
import { streamPair } from '../../src/native/syscalls.ts'
import { readProcStat } from '../../src/runtime/process-liveness.ts'

const MANY = 40

/** Needs a thread of the pool: hangs when waits have taken all four. */
async function expectFreePool(): Promise<void> {
  expect((await readFile('/proc/self/stat')).length).toBeGreaterThan(0)
}

describe(`${MANY} waits at once leave the pool to others`, () => {
  it('waitForProcess()', async () => {
    const children = Array.from({ length: MANY }, () => spawn('sleep', ['1000']))
    const waits = children.map(({ pid = 0 }) =>
      waitForProcess(pid, readProcStat(pid)?.startTime ?? 0, -1),
    )
    await expectFreePool()
    for (const child of children) child.kill('SIGKILL')
    expect(new Set(await Promise.all(waits))).toEqual(new Set([true]))
  })

  it('receiveDescriptor()', async () => {
    const pairs = Array.from({ length: MANY }, () => streamPair())
    const waits = pairs.map(([ours]) => receiveDescriptor(ours.fd))
    await expectFreePool()
    for (const [, theirs] of pairs) theirs.close()
    expect(new Set(await Promise.all(waits))).toEqual(new Set([undefined]))
    for (const [ours] of pairs) ours.close()
  })

  it('ContainerStore.lock()', async () => {
    const root = mkdtempSync(join(tmpdir(), 'tsrun-waits-'))
    const store = new ContainerStore(root)
    const unfinished = store.create()
    store.claimName(newRecord(unfinished.id, '/run/x', { image: 'i' }, undefined), undefined)
    const locks = Array.from({ length: MANY }, async () => {
      const lock = await store.lock(unfinished.id)
      lock?.close()
      return lock !== undefined
    })
    await expectFreePool()
    unfinished.finish()
    expect(new Set(await Promise.all(locks))).toEqual(new Set([true]))
    rmSync(root, { recursive: true })
  })
})
