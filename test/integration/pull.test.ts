/** Pulls from a real docker-registry: what is stored, what is unpacked, what is reused. */
import { execFile, execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { openImageStore } from '../../src/images/open-image-store.ts'
import { pullImage } from '../../src/images/pull.ts'
import { parseReference } from '../../src/oci/reference.ts'
import { mountOverlay, unmountOverlay } from '../../src/snapshots/mount-overlay.ts'
import { startRegistry, type TestRegistry } from '../support/docker-registry.ts'
import { startFakeRegistry } from '../support/fake-registry.ts'
import { makeImage, makeIndex, pushImage } from '../support/make-image.ts'
import { TSRUN } from '../support/runtime.ts'
import { dir, file, hardLink, symlink } from '../support/tar-builder.ts'

let registry: TestRegistry
let root: string

beforeAll(async () => {
  registry = await startRegistry()
})
afterAll(async () => {
  await registry[Symbol.asyncDispose]()
})
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tsrun-pull-'))
})
afterEach(() => {
  rmSync(root, { recursive: true, force: true })
})

const ref = (name: string) => parseReference(`${registry.host}/${name}`)

test('pullImage() unpacks the layers so that an overlay of them is the image', async () => {
  const image = makeImage([
    [
      dir('etc'),
      file('etc/a', 'old'),
      file('etc/gone', 'x'),
      dir('lib', { mode: 0o750, uid: 7, gid: 8 }),
      file('lib/one', '1'),
    ],
    [
      file('etc/a', 'new'),
      file('etc/.wh.gone'),
      file('lib/two', '2'),
      symlink('link', 'etc/a'),
      hardLink('hard', 'etc/a'),
    ],
  ])
  await pushImage(registry.host, 'app', 'v1', image)
  const store = openImageStore(root)
  const pulled = await pullImage(store, ref('app:v1'))
  expect(pulled.id).toBe(image.config.descriptor.digest)
  expect(pulled.names).toEqual([`${registry.host}/app:v1`])
  const target = join(root, 'mnt')
  mkdirSync(target)
  mountOverlay(await store.snapshots.prepare('c1', pulled.chainIds), target)
  try {
    const list = execFileSync('find', ['.', '-mindepth', '1', '-printf', '%P %y %m %U:%G\n'], {
      cwd: target,
      encoding: 'utf8',
    })
    expect(list.trim().split('\n').toSorted()).toEqual([
      'etc d 755 0:0',
      'etc/a f 644 0:0',
      'hard f 644 0:0',
      'lib d 750 7:8',
      'lib/one f 644 0:0',
      'lib/two f 644 0:0',
      'link l 777 0:0',
    ])
    expect(readFileSync(join(target, 'hard'), 'utf8')).toBe('new')
  } finally {
    unmountOverlay(target)
  }
})

test('pullImage() of an index takes the platform of this machine, or the one asked for', async () => {
  const here = makeImage([[file('here')]])
  const other = makeImage([[file('other')]], { platform: { os: 'linux', architecture: 's390x' } })
  const index = makeIndex([other, here])
  await pushImage(registry.host, 'multi', 'v1', [here, other], index)
  const store = openImageStore(root)
  expect((await pullImage(store, ref('multi:v1'))).id).toBe(here.config.descriptor.digest)
  const platform = { os: 'linux', architecture: 's390x' }
  expect((await pullImage(store, ref('multi:v1'), { platform })).id).toBe(
    other.config.descriptor.digest,
  )
  await expect(
    pullImage(store, ref('multi:v1'), { platform: { os: 'linux', architecture: 'riscv64' } }),
  ).rejects.toThrow(/nothing for linux\/riscv64, only for linux\/s390x, linux\/(amd64|arm64)/)
  expect(store.list()).toHaveLength(1)
})

test('pullImage() a second time fetches nothing but the manifest', async () => {
  const image = makeImage([[file('a', 'a')]], { kind: 'docker' })
  await using counted = await startFakeRegistry(image)
  const store = openImageStore(root)
  const name = parseReference(`${counted.host}/app`)
  await pullImage(store, name)
  const asked = counted.requests.length
  const phases: string[] = []
  await pullImage(store, name, {
    onProgress: (event) => event.type === 'layer' && phases.push(event.phase),
  })
  expect(counted.requests.slice(asked)).toEqual(['GET /v2/app/manifests/latest'])
  expect(phases).toEqual(['waiting', 'exists'])
  expect(readdirSync(join(root, 'images/ingest'))).toEqual([])
  expect(readdirSync(join(root, 'snapshots/drafts'))).toEqual([])
})

test('pullImage() twice at once downloads and unpacks everything once', async () => {
  const image = makeImage(
    [0, 1, 2, 3].map((n) => [
      dir('d'),
      file(`d/${n}`, randomBytes(500_000)),
      file('d/all', `${n}`),
    ]),
  )
  await using counted = await startFakeRegistry(image)
  // Two stores, as two processes have them: they meet in the locks of the data root alone.
  const pulls = [1, 2].map(() =>
    pullImage(openImageStore(root), parseReference(`${counted.host}/app`)),
  )
  for (const { id } of await Promise.all(pulls)) expect(id).toBe(image.config.descriptor.digest)
  const blobs = counted.requests.filter((request) => request.includes('/blobs/')).toSorted()
  expect(blobs).toEqual(
    [image.config, ...image.layers]
      .map(({ descriptor }) => `GET /v2/app/blobs/${descriptor.digest}`)
      .toSorted(),
  )
  const store = openImageStore(root)
  expect(store.list()).toHaveLength(1)
  expect(store.snapshots.layers()).toHaveLength(4)
  expect(readdirSync(join(root, 'snapshots/drafts'))).toEqual([])
  expect(readdirSync(join(root, 'images/ingest'))).toEqual([])
})

test('two tsrun pull at once both end with the image', async () => {
  const image = makeImage([
    [file('a', randomBytes(2_000_000))],
    [file('b', randomBytes(2_000_000))],
  ])
  await pushImage(registry.host, 'both', 'latest', image)
  const globals = ['--data-root', join(root, 'data'), '--state-root', join(root, 'state')]
  const pulls = [1, 2].map(() =>
    promisify(execFile)(TSRUN, [...globals, 'pull', '-q', `${registry.host}/both`]),
  )
  const id = `${image.config.descriptor.digest.slice(7)}\n`
  expect(await Promise.all(pulls)).toEqual([1, 2].map(() => ({ stdout: id, stderr: '' })))
})

/** tsrun pull below strace(1), which tells or breaks its system calls. */
async function traced(args: readonly string[], image: string) {
  const trace = join(root, 'trace')
  const pull = [
    '--data-root',
    join(root, 'data'),
    '--state-root',
    join(root, 'state'),
    'pull',
    '-q',
  ]
  const command = ['-f', '-o', trace, ...args, TSRUN, ...pull, `${registry.host}/${image}`]
  const { stderr } = await promisify(execFile)('strace', command).catch((failure) => failure)
  return { stderr: String(stderr), calls: readFileSync(trace, 'utf8').split('\n') }
}

test('tsrun pull writes a layer to the disk before the layer gets its name', async () => {
  const image = makeImage([[file('a', 'x')], [file('b', 'y')]])
  await pushImage(registry.host, 'durable', 'latest', image)
  const { stderr, calls } = await traced(['-e', 'trace=syncfs,/^rename'], 'durable')
  expect(stderr).toBe('')
  const steps = calls.flatMap((call) => {
    if (/syncfs.*= 0/.test(call)) return ['sync']
    return /rename.*snapshots\/drafts.*snapshots\/layers/.test(call) ? ['name'] : []
  })
  expect(steps).toEqual(['sync', 'name', 'sync', 'name'])
})

test('tsrun pull keeps no layer that the disk did not take', async () => {
  await pushImage(registry.host, 'broken-disk', 'latest', makeImage([[file('c', 'z')]]))
  const { stderr } = await traced(['-e', 'inject=syncfs:error=EIO'], 'broken-disk')
  expect(stderr).toMatch(
    /^tsrun: cannot write layer "sha256:[0-9a-f]+" to the disk: syncfs.*EIO.*\n$/,
  )
  expect(openImageStore(join(root, 'data')).snapshots.layers()).toEqual([])
  expect(readdirSync(join(root, 'data/snapshots/drafts'))).toEqual([])
})
