/** `tsrun pull` killed at random moments: the next command finds a store that verifies, the next pull ends it. */
import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openImageStore } from '../../src/images/open-image-store.ts'
import { startRegistry, type TestRegistry } from '../support/docker-registry.ts'
import { makeImage, pushImage } from '../support/make-image.ts'
import { TSRUN } from '../support/runtime.ts'
import { dir, file } from '../support/tar-builder.ts'

let registry: TestRegistry
const image = makeImage(
  [0, 1, 2, 3].map((n) => [
    dir(`d${n}`),
    file(`d${n}/big`, randomBytes(4_000_000)),
    ...Array.from({ length: 300 }, (_, i) => file(`d${n}/f${i}`, `${n} ${i}`)),
  ]),
)

beforeAll(async () => {
  registry = await startRegistry()
  await pushImage(registry.host, 'app', 'latest', image)
})
afterAll(async () => {
  await registry[Symbol.asyncDispose]()
})

test('tsrun pull killed at 20 random moments leaves nothing half made, and the next pull ends it', async () => {
  const root = mkdtempSync(join(tmpdir(), 'tsrun-killed-pull-'))
  const globals = ['--data-root', join(root, 'data'), '--state-root', join(root, 'state')]
  try {
    for (let round = 0; round < 20; round++) {
      const child = spawn(TSRUN, [...globals, 'pull', '-q', `${registry.host}/app`], {
        stdio: 'ignore',
      })
      const gone = new Promise((resolve) => child.once('exit', resolve))
      await sleep(Math.random() * 600)
      child.kill('SIGKILL')
      await gone
      const store = openImageStore(join(root, 'data'))
      store.sweep()
      for (const digest of store.content.list()) await store.content.verify(digest)
      if (readdirSync(join(root)).includes('data')) {
        const drafts = join(root, 'data/snapshots/drafts')
        mkdirSync(drafts, { recursive: true })
        expect(readdirSync(drafts)).toEqual([])
      }
      for (const { chainIds } of store.list())
        for (const id of chainIds) expect(store.snapshots.hasLayer(id)).toBe(true)
    }
    const last = spawnSync(TSRUN, [...globals, 'pull', '-q', `${registry.host}/app`], {
      encoding: 'utf8',
    })
    expect(last.stderr).toBe('')
    expect(last.stdout.trim()).toBe(image.config.descriptor.digest.slice(7))
    expect(readdirSync(join(root, 'data/images/ingest'))).toEqual([])
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
})

test('tsrun pull onto a full disk says so in one sentence and leaves no image', () => {
  const root = mkdtempSync(join(tmpdir(), 'tsrun-full-'))
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', root])
  try {
    const globals = ['--data-root', join(root, 'data'), '--state-root', join(root, 'state')]
    const pull = spawnSync(TSRUN, [...globals, 'pull', '-q', `${registry.host}/app`], {
      encoding: 'utf8',
    })
    expect(pull.status).toBe(125)
    expect(pull.stderr).toMatch(/^tsrun: .*no space left on the device.*hint: free space[^\n]*\n$/)
    expect(spawnSync(TSRUN, [...globals, 'images', '-q'], { encoding: 'utf8' }).stdout).toBe('')
    expect(readdirSync(join(root, 'data/snapshots/drafts'))).toEqual([])
  } finally {
    spawnSync('umount', [root])
    rmSync(root, { recursive: true, force: true })
  }
})
