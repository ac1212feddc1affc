/** untilReadable(), and what waits through it: no number of waits may take the pool or block the end. */
import { spawnSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { describe, expect, it } from 'vitest'
import { receiveEvent, reply } from '../../src/native/executor-protocol.ts'
import { untilReadable } from '../../src/native/readiness.ts'
import { seqpacketPair } from '../../src/native/syscalls.ts'
import { descriptorsOf } from './start-init.ts'

function pairs(count: number) {
  return Array.from({ length: count }, () => seqpacketPair())
}

function closeAll(all: ReturnType<typeof pairs>): void {
  for (const fd of all.flat()) fd.close()
}

/** Runs `code` in a Node of its own and returns its exit status; fails when it does not end. */
async function runAlone(code: string): Promise<number | null> {
  const { outputFiles } = await build({
    stdin: {
      contents: code,
      resolveDir: fileURLToPath(new URL('../../src/native', import.meta.url)),
    },
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    external: ['koffi'],
    // The bundle has no path of its own: natives and koffi are found from the sources'.
    define: {
      'import.meta.url': JSON.stringify(new URL('../../src/native/x.ts', import.meta.url)),
    },
  })
  const { status, error } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', outputFiles[0]?.text ?? ''],
    { timeout: 20_000, stdio: ['ignore', 'inherit', 'inherit'] },
  )
  if (error !== undefined) throw error
  return status
}

describe('untilReadable()', () => {
  it('resolves true for data, for a closed end, and false when the time runs out', async () => {
    const all = pairs(3)
    const [[a, b], [c, d], [e]] = all as [(typeof all)[0], (typeof all)[0], (typeof all)[0]]
    const waits = Promise.all([
      untilReadable(a.fd),
      untilReadable(c.fd, 60_000),
      untilReadable(e.fd, 20),
    ])
    reply(b.fd)
    d.close()
    expect(await waits).toEqual([true, true, false])
    expect(await untilReadable(a.fd, 0)).toBe(true)
    closeAll(all)
  })

  it('lets two wait for one descriptor and leaves none behind', async () => {
    const all = pairs(1)
    const [[a, b]] = all as [(typeof all)[0]]
    await untilReadable(a.fd, 0)
    const before = descriptorsOf()
    const waits = [untilReadable(a.fd), untilReadable(a.fd), untilReadable(a.fd, 5)]
    expect(await waits[2]).toBe(false)
    reply(b.fd)
    expect(await Promise.all(waits.slice(0, 2))).toEqual([true, true])
    expect(descriptorsOf()).toEqual(before)
    closeAll(all)
  })

  it('keeps waiting when the caller closes its descriptor', async () => {
    const [a, b] = seqpacketPair()
    const wait = untilReadable(a.fd)
    a.close()
    b.close()
    expect(await wait).toBe(true)
  })

  it('throws for what cannot be waited for', async () => {
    const before = descriptorsOf()
    await expect(untilReadable(9999)).rejects.toThrow('EBADF')
    const file = openSync('/proc/self/exe', 'r')
    await expect(untilReadable(file)).rejects.toThrow('epoll_ctl: EPERM')
    closeSync(file)
    expect(descriptorsOf()).toEqual(before)
  })

  it('serves 500 waits and leaves the pool to others', async () => {
    const all = pairs(500)
    const waits = all.map(([a]) => untilReadable(a.fd))
    expect((await readFile('/proc/self/stat')).length).toBeGreaterThan(0)
    for (const [, b] of all) reply(b.fd)
    expect(new Set(await Promise.all(waits))).toEqual(new Set([true]))
    closeAll(all)
  })

  it('does not keep the process once nobody waits', async () => {
    const status = await runAlone(`
      import { untilReadable } from './readiness.ts'
      import { seqpacketPair } from './syscalls.ts'
      const [a, b] = seqpacketPair()
      process.exitCode = (await untilReadable(a.fd, 10)) ? 1 : 5
      globalThis.keep = b
    `)
    expect(status).toBe(5)
  })
})

describe('receiveEvent()', () => {
  it('leaves the pool to others', async () => {
    const all = pairs(8)
    const waits = all.map(([a]) => receiveEvent(a.fd))
    expect((await readFile('/proc/self/stat')).length).toBeGreaterThan(0)
    for (const [, b] of all) b.close()
    expect(await Promise.all(waits)).toEqual(all.map(() => ({ type: 'end' })))
    closeAll(all)
  })

  it('does not block process.exit()', async () => {
    const status = await runAlone(`
      import { receiveEvent } from './executor-protocol.ts'
      import { seqpacketPair } from './syscalls.ts'
      const [a, b] = seqpacketPair()
      globalThis.keep = b
      void receiveEvent(a.fd)
      setTimeout(() => process.exit(3), 50)
    `)
    expect(status).toBe(3)
  })
})
