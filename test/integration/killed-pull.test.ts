/** `tsrun pull` killed at random moments: the next command finds a store that verifies, the next pull ends it. */
import { type ChildProcess, type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openImageStore } from '../../src/images/open-image-store.ts'
import { isDeadState, parseProcStat } from '../../src/linux/parse-proc-stat.ts'
import { contentAt, type FakeRegistry, startFakeRegistry } from '../support/fake-registry.ts'
import { makeImage } from '../support/make-image.ts'
import { TSRUN } from '../support/runtime.ts'
import { dir, file } from '../support/tar-builder.ts'

const ROUNDS = 50
const LAYERS = 4
const LAYER_BYTES = 1_000_000
/** What the registry sends at once; between two it waits, so that a pull can be met in the middle. */
const CHUNK = 64 * 1024

const image = makeImage(
  Array.from({ length: LAYERS }, (_, n) => [
    dir(`d${n}`),
    file(`d${n}/big`, randomBytes(LAYER_BYTES)),
    ...Array.from({ length: 50 }, (_, i) => file(`d${n}/f${i}`, `${n} ${i}`)),
  ]),
)

let registry: FakeRegistry
let sent = 0

beforeAll(async () => {
  registry = await startFakeRegistry(image, (request, response) => {
    const content = contentAt(image, request.url ?? '')
    if (content === undefined || content.bytes.length < CHUNK) return false
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const { length } = content.bytes
    response.writeHead(from === 0 ? 200 : 206, {
      'content-length': length - from,
      ...(from === 0 ? {} : { 'content-range': `bytes ${from}-${length - 1}/${length}` }),
    })
    void sendSlowly(response, content.bytes.subarray(from))
    return true
  })
})
afterAll(async () => {
  await registry[Symbol.asyncDispose]()
})

async function sendSlowly(response: ServerResponse, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length && !response.destroyed; at += CHUNK) {
    const chunk = bytes.subarray(at, at + CHUNK)
    response.write(chunk)
    sent += chunk.length
    await sleep(2)
  }
  response.end()
}

/** One data root; a pull that came to its end makes the next rounds begin with a new one. */
class Victim {
  readonly folder = mkdtempSync(join(tmpdir(), 'tsrun-killed-pull-'))
  readonly data = join(this.folder, 'data')
  readonly #globals = ['--data-root', this.data, '--state-root', join(this.folder, 'state')]

  pull(): ChildProcess {
    // A session of its own, by which its children are known.
    return spawn(TSRUN, [...this.#globals, 'pull', '-q', `${registry.host}/app`], {
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    })
  }

  run(...words: string[]): SpawnSyncReturns<string> {
    return spawnSync(TSRUN, [...this.#globals, ...words], { encoding: 'utf8' })
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

interface StoreState {
  /** Digests of blobs that are whole. */
  readonly whole: readonly string[]
  /** Bytes of each unfinished blob by its digest. */
  readonly parts: Readonly<Record<string, number>>
}

function stateOf({ data }: Victim): StoreState {
  const ingest = join(data, 'images/ingest')
  const parts = namesIn(ingest).map((name) => {
    return [name.replace('-', ':'), statSync(join(ingest, name)).size] as const
  })
  return {
    whole: openImageStore(data).content.list(),
    parts: Object.fromEntries(parts.filter(([, size]) => size > 0)),
  }
}

/** When a part of the image that nobody can foresee has come, and then a little later. */
async function killAtRandomMoment(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit')
  const missing = Math.random() * LAYERS * LAYER_BYTES
  const start = sent
  while (sent - start < missing && child.exitCode === null) await sleep(2)
  await sleep(Math.random() * 60)
  child.kill('SIGKILL')
  await gone
}

/** Requests for bytes that were there. */
function refetched(requests: readonly string[], { whole, parts }: StoreState): readonly string[] {
  return requests.filter((request) => {
    const digest = /\/blobs\/(\S+)/.exec(request)?.[1]
    if (digest === undefined) return false
    const part = parts[digest]
    return whole.includes(digest) || (part !== undefined && !request.endsWith(`bytes=${part}-`))
  })
}

/** Whatever a killed pull may leave, except parts of blobs, which the next one goes on with. */
function leftovers({ folder, data }: Victim, session: number): readonly string[] {
  const files = namesIn(data, true).filter(
    (path) => path.endsWith('.tmp') || basename(path).startsWith('tmp-'),
  )
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
  return [
    ...files,
    ...namesIn(join(data, 'snapshots/drafts')),
    ...mounts.filter((line) => line.includes(folder)),
    ...namesIn('/proc').filter((pid) => sessionOf(pid) === session),
  ]
}

async function verify({ data }: Victim): Promise<void> {
  const store = openImageStore(data)
  for (const digest of store.content.list()) await store.content.verify(digest)
  for (const { chainIds } of store.list())
    for (const id of chainIds) expect(store.snapshots.layer(id)).toMatchObject({ chainId: id })
}

function sessionOf(pid: string): number | undefined {
  if (!/^\d+$/.test(pid)) return undefined
  try {
    const stat = parseProcStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))
    return stat === undefined || isDeadState(stat.state) ? undefined : stat.session
  } catch {
    return undefined // It ended between the listing and the look.
  }
}

function namesIn(folder: string, recursive = false): string[] {
  return existsSync(folder) ? readdirSync(folder, { recursive, encoding: 'utf8' }) : []
}

test(`tsrun pull killed at ${ROUNDS} random moments leaves nothing half made, fetches nothing twice, and the next pull ends it`, async () => {
  let victim = new Victim()
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const before = stateOf(victim)
      const asked = registry.requests.length
      const child = victim.pull()
      await killAtRandomMoment(child)
      expect(refetched(registry.requests.slice(asked), before)).toEqual([])
      // The next command, whichever it is.
      const images = victim.run('images', '-q')
      expect(images).toMatchObject({ status: 0, stderr: '' })
      expect(leftovers(victim, child.pid ?? 0)).toEqual([])
      await verify(victim)
      if (images.stdout === '') continue
      victim.remove()
      victim = new Victim()
    }
    const last = victim.pull()
    await once(last, 'exit')
    expect(last.exitCode).toBe(0)
    expect(openImageStore(victim.data).resolve(`${registry.host}/app`).id).toBe(
      image.config.descriptor.digest,
    )
    expect(stateOf(victim).parts).toEqual({})
  } finally {
    victim.remove()
  }
})

test('tsrun pull onto a full disk says so in one sentence, and what was finished is not fetched again', async () => {
  const victim = new Victim()
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', victim.folder])
  try {
    const pull = victim.pull()
    let stderr = ''
    pull.stderr?.on('data', (text) => {
      stderr += text
    })
    await once(pull, 'close')
    expect(pull.exitCode).toBe(125)
    expect(stderr).toMatch(/^tsrun: .*no space left on the device.*hint: free space[^\n]*\n$/)
    expect(victim.run('images', '-q').stdout).toBe('')
    expect(namesIn(join(victim.data, 'snapshots/drafts'))).toEqual([])
    const before = stateOf(victim)
    expect(before.whole.length).toBeGreaterThan(2)
    const asked = registry.requests.length
    spawnSync('mount', ['-o', 'remount,size=64m', victim.folder])
    const again = victim.pull()
    await once(again, 'exit')
    expect(again.exitCode).toBe(0)
    expect(refetched(registry.requests.slice(asked), before)).toEqual([])
  } finally {
    spawnSync('umount', [victim.folder])
    victim.remove()
  }
})
