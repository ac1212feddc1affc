/** Pulls through mirrors, rewritten locations, proxies and short names: who is asked, and what is said when all fail. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { describeError } from '../../src/errors.ts'
import { openImageStore } from '../../src/images/open-image-store.ts'
import { type PullOptions, pullImage } from '../../src/images/pull.ts'
import { parseReference } from '../../src/oci/reference.ts'
import { contentAt, type FakeRegistry, startFakeRegistry } from '../support/fake-registry.ts'
import { makeImage } from '../support/make-image.ts'
import { file } from '../support/tar-builder.ts'
import { createTempDir, type TempDir } from '../support/temp-dir.ts'

const image = makeImage([[file('a', randomBytes(300_000))], [file('b', 'y')]])
const bigPath = `/v2/app/blobs/${image.layers[0]?.descriptor.digest}`

let folder: TempDir

beforeEach(() => {
  folder = createTempDir('tsrun-mirrors-')
})
afterEach(() => folder[Symbol.dispose]())

async function pull(name: string, options: PullOptions = {}): Promise<string> {
  try {
    const { id } = await pullImage(
      openImageStore(join(folder.path, 'data')),
      parseReference(name),
      {
        retry: { attempts: 1, baseMs: 1, maxWaitMs: 1 },
        credentials: async () => undefined,
        etc: join(folder.path, 'etc'),
        env: {},
        ...options,
      },
    )
    return id === image.config.descriptor.digest ? 'pulled' : id
  } catch (error) {
    return describeError(error)
  }
}

/** The name `r.test/app` with a mirror before its registry. */
function configure(mirror: string, main: string): void {
  mkdirSync(join(folder.path, 'etc/containers'), { recursive: true })
  writeFileSync(
    join(folder.path, 'etc/containers/registries.conf'),
    `[[registry]]\nprefix = "r.test"\nlocation = "${main}"\n[[registry.mirror]]\nlocation = "${mirror}"\n`,
  )
}

const blobsAsked = ({ requests }: FakeRegistry): string[] =>
  requests.filter((line) => line.includes('/blobs/'))

test('a mirror that has the image is the only one asked', async () => {
  await using mirror = await startFakeRegistry(image)
  await using main = await startFakeRegistry(image)
  configure(mirror.host, main.host)
  expect(await pull('r.test/app')).toBe('pulled')
  expect(main.requests).toEqual([])
})

test.each([404, 401, 429, 500])('a mirror that answers %i is passed over', async (status) => {
  await using mirror = await startFakeRegistry(image, (_, response) => {
    response.writeHead(status).end()
    return true
  })
  await using main = await startFakeRegistry(image)
  configure(mirror.host, main.host)
  expect(await pull('r.test/app')).toBe('pulled')
  expect(blobsAsked(mirror)).toEqual([])
})

test('where a mirror breaks off in a layer, the registry goes on at that byte', async () => {
  await using mirror = await startFakeRegistry(image, (request, response) => {
    if (request.url !== bigPath) return false
    const { bytes } = contentAt(image, bigPath) ?? { bytes: Buffer.alloc(0) }
    response.writeHead(200, { 'content-length': bytes.length })
    response.write(bytes.subarray(0, 100_000), () => response.destroy())
    return true
  })
  await using main = await startFakeRegistry(image)
  configure(mirror.host, main.host)
  expect(await pull('r.test/app')).toBe('pulled')
  const [start] = main.requests.filter((line) => line.startsWith(`GET ${bigPath}`))
  expect(start).toMatch(/bytes=[1-9]\d*-$/)
})

test('when all fail, the message names each registry that was really asked', async () => {
  await using mirror = await startFakeRegistry(image, (_, response) => {
    response.writeHead(429, { 'retry-after': '7200' }).end()
    return true
  })
  await using main = await startFakeRegistry(image, (_, response) => {
    response.writeHead(404).end('{}')
    return true
  })
  configure(mirror.host, main.host)
  expect(await pull('r.test/app')).toBe(
    `cannot get manifest "app:latest" from registry "${main.host}": it has no such image (HTTP 404); mirrors before it: cannot get manifest "app:latest" from registry "${mirror.host}": too many requests (HTTP 429); hint: check the name and the tag`,
  )
})

test('headers of a hosts.toml go to its host', async () => {
  const seen: unknown[] = []
  await using main = await startFakeRegistry(image, (request) => {
    seen.push(request.headers['x-team'])
    return false
  })
  mkdirSync(join(folder.path, 'etc/containerd/certs.d/r.test'), { recursive: true })
  writeFileSync(
    join(folder.path, 'etc/containerd/certs.d/r.test/hosts.toml'),
    `server = "http://${main.host}"\n[header]\nx-team = "blue"\n`,
  )
  expect(await pull('r.test/app')).toBe('pulled')
  expect(new Set(seen)).toEqual(new Set(['blue']))
})

test('plain HTTP goes through HTTP_PROXY, but for what NO_PROXY excludes', async () => {
  await using main = await startFakeRegistry(image)
  const asked: string[] = []
  const proxy = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers['proxy-authorization']}`)
    const content = contentAt(image, new URL(request.url ?? '').pathname)
    response.writeHead(content === undefined ? 404 : 200, { 'content-type': content?.type ?? '' })
    response.end(content?.bytes)
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  try {
    const http_proxy = `http://me:pw@127.0.0.1:${(proxy.address() as AddressInfo).port}`
    mkdirSync(join(folder.path, 'etc/containerd/certs.d/r.test'), { recursive: true })
    const hosts = join(folder.path, 'etc/containerd/certs.d/r.test/hosts.toml')
    writeFileSync(hosts, 'server = "http://far.test:8080"\n')
    expect(await pull('r.test/app', { env: { http_proxy } })).toBe('pulled')
    expect(asked[0]).toBe(
      `http://far.test:8080/v2/app/manifests/latest Basic ${Buffer.from('me:pw').toString('base64')}`,
    )
    expect(await pull('r.test/app', { env: { http_proxy, NO_PROXY: 'far.test' } })).toMatch(
      /cannot get manifest "app:latest" from registry "far.test:8080": its name does not resolve/,
    )
    expect(main.requests).toEqual([])
  } finally {
    proxy.closeAllConnections()
    proxy.close()
  }
})
