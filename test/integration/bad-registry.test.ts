/** Registries that fail, lie and break off: one sentence for each, and a store that is as good as before. */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { describeError } from '../../src/errors.ts'
import type { ImageStore } from '../../src/images/image-store.ts'
import { openImageStore } from '../../src/images/open-image-store.ts'
import { type PullOptions, pullImage } from '../../src/images/pull.ts'
import { parseReference } from '../../src/oci/reference.ts'
import { freePort } from '../support/docker-registry.ts'
import {
  contentAt,
  type FakeRegistry,
  type Misbehave,
  startFakeRegistry,
} from '../support/fake-registry.ts'
import { blob, type MadeImage, makeImage } from '../support/make-image.ts'
import { buildTar, dir, file } from '../support/tar-builder.ts'

const RETRY = { attempts: 3, baseMs: 1, maxWaitMs: 1500 }

const layer = [dir('d'), file('d/random', randomBytes(900_000)), file('d/small', 'x')]
const image = makeImage([layer, [file('second', 'y')]])
const [big] = image.layers
const bigPath = `/v2/app/blobs/${big?.descriptor.digest}`

let root: string
let store: ImageStore

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tsrun-bad-'))
  store = openImageStore(root)
})
afterEach(() => {
  rmSync(root, { recursive: true, force: true })
})

async function pull(registry: FakeRegistry, options: PullOptions = {}): Promise<string> {
  try {
    const { id } = await pullImage(store, parseReference(`${registry.host}/app`), {
      retry: RETRY,
      credentials: async () => undefined,
      ...options,
    })
    return id
  } catch (error) {
    return describeError(error).replaceAll(registry.host, 'HOST')
  }
}

/** No name, no layer, no draft; every blob that is there is what it says. */
function expectNothingBroken(): void {
  expect(store.list()).toEqual([])
  const drafts = join(root, 'snapshots/drafts')
  if (readdirSync(root).includes('snapshots')) expect(readdirSync(drafts)).toEqual([])
  for (const digest of store.content.list()) {
    const bytes = readFileSync(join(root, 'images/blobs/sha256', digest.slice(7)))
    expect(`sha256:${createHash('sha256').update(bytes).digest('hex')}`).toBe(digest)
  }
}

function answer(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Record<string, string> = {},
): boolean {
  response.writeHead(status, headers)
  response.end(body)
  return true
}

test.each<[string, Misbehave, RegExp]>([
  [
    '401 without a challenge',
    (_, res) => answer(res, 401, ''),
    /^cannot get manifest "app:latest" from registry "HOST": it asks for a login \(HTTP 401\); hint: log in/,
  ],
  [
    '401 with a challenge for a password',
    (_, res) => answer(res, 401, '', { 'www-authenticate': 'Basic realm="x"' }),
    /it asks for a login/,
  ],
  [
    '403',
    (_, res) => answer(res, 403, '{"errors":[{"code":"DENIED","message":"no\\u001b[31m way"}]}'),
    /access is denied \(HTTP 403, DENIED: no \[31m way\); hint: check that this account/,
  ],
  ['404', (_, res) => answer(res, 404, '{}'), /it has no such image \(HTTP 404\)/],
  [
    '429 for ever',
    (_, res) => answer(res, 429, '', { 'retry-after': '0' }),
    /too many requests \(HTTP 429\); hint: try again in 0 seconds, or log in/,
  ],
  [
    '429 for an hour',
    (_, res) => answer(res, 429, '', { 'retry-after': '3600' }),
    /hint: try again in 3600 seconds/,
  ],
  [
    '500 for ever',
    (_, res) => answer(res, 500, 'oops'),
    /the registry has a fault \(HTTP 500\); hint: try again later/,
  ],
  [
    'a web page',
    (_, res) => answer(res, 200, '<html>', { 'content-type': 'text/html; charset=utf-8' }),
    /it answered with text\/html instead of a manifest; hint: check that the name/,
  ],
  [
    'no JSON',
    (_, res) => answer(res, 200, '{"schemaVersion', { 'content-type': 'application/json' }),
    /not JSON/,
  ],
  [
    'JSON that is no manifest',
    (_, res) => answer(res, 200, '{"a":1}', { 'content-type': 'application/json' }),
    /neither an image manifest nor an index/,
  ],
  [
    'an old manifest',
    (_, res) =>
      answer(res, 200, '{"schemaVersion":1}', {
        'content-type': 'application/vnd.docker.distribution.manifest.v1+prettyjws',
      }),
    /old format/,
  ],
  [
    'an endless manifest',
    (_, res) =>
      answer(res, 200, `{"a":"${'x'.repeat(5_000_000)}"}`, { 'content-type': 'application/json' }),
    /larger than 4194304 bytes/,
  ],
  [
    'a manifest of another digest',
    (_, res) =>
      answer(res, 200, image.manifest.bytes.toString(), {
        'content-type': image.manifest.descriptor.mediaType,
        'docker-content-digest': `sha256:${'0'.repeat(64)}`,
      }),
    /it has the digest sha256:[0-9a-f]{64}, not sha256:000/,
  ],
  [
    'redirects in a circle',
    (req, res) => answer(res, 307, '', { location: req.url ?? '' }),
    /more than 10 redirects/,
  ],
  [
    'a redirect to a file',
    (_, res) => answer(res, 307, '', { location: 'file:///etc/passwd' }),
    /redirects to no web address/,
  ],
  [
    'a token service that refuses',
    (req, res) =>
      answer(res, 401, '{}', {
        'www-authenticate': `Bearer realm="http://${req.headers.host}/token",service="x"`,
      }),
    /cannot log in to registry "HOST": HOST answered 401; hint: log in/,
  ],
])('pullImage() from a registry that answers %s', async (_, misbehave, sentence) => {
  await using registry = await startFakeRegistry(image, misbehave)
  expect(await pull(registry)).toMatch(sentence)
  expectNothingBroken()
})

test('pullImage() from nothing that listens', async () => {
  const registry = {
    host: `127.0.0.1:${await freePort()}`,
    requests: [],
    [Symbol.asyncDispose]: async () => {},
  }
  expect(await pull(registry)).toBe(
    'cannot get manifest "app:latest" from registry "HOST": nothing listens there (ECONNREFUSED); hint: check that the registry runs and its port',
  )
})

const onBlob =
  (act: (res: ServerResponse, bytes: Buffer, count: number) => boolean): Misbehave =>
  (req, res, count) =>
    req.url === bigPath ? act(res, big?.bytes ?? Buffer.alloc(0), count) : false

test.each<[string, Misbehave, RegExp]>([
  [
    'says another size',
    onBlob((res, bytes) => answer(res, 200, bytes.toString('latin1'), { 'content-length': '12' })),
    /it has 12 bytes there, where the manifest says \d+; hint: the registry or the image is damaged/,
  ],
  [
    'sends more than it should',
    onBlob((res, bytes) => {
      res.writeHead(200)
      res.write(bytes)
      res.end('more')
      return true
    }),
    /longer than the \d+ bytes in the manifest/,
  ],
  [
    'sends other content',
    onBlob((res, bytes) => {
      res.end(Buffer.alloc(bytes.length, 'x'))
      return true
    }),
    /cannot store blob "sha256:\w+": its content has the digest/,
  ],
  [
    'sends damaged content',
    onBlob((res, bytes) => {
      const bad = Buffer.from(bytes)
      bad[500_000] = (bad[500_000] ?? 0) ^ 1
      res.end(bad)
      return true
    }),
    /cannot store blob "sha256:\w+": its content has the digest/,
  ],
  [
    'always ends too early',
    onBlob((res, bytes) => {
      res.writeHead(200, { 'content-length': bytes.length })
      res.write(bytes.subarray(0, 10))
      setTimeout(() => res.destroy(), 5)
      return true
    }),
    /connection ended after 10 of \d+ bytes, again and again|connection ended/,
  ],
  [
    'has no such blob',
    onBlob((res) => answer(res, 404, '')),
    /cannot get blob "sha256:\w+" from registry "HOST": it has no such image/,
  ],
])('pullImage() of a layer when the registry %s', async (_, misbehave, sentence) => {
  await using registry = await startFakeRegistry(image, misbehave)
  expect(await pull(registry)).toMatch(sentence)
  expectNothingBroken()
  await using good = await startFakeRegistry(image)
  expect(await pull(good)).toBe(image.config.descriptor.digest)
})

test.each<[string, MadeImage, RegExp]>([
  [
    'a truncated gzip',
    makeImage([layer], { compress: (tar) => gzipSync(tar).subarray(0, 2000) }),
    /cannot unpack layer "sha256:\w+": .*its gzip data is damaged: unexpected end of file/,
  ],
  [
    'a damaged tar',
    makeImage([Buffer.alloc(2048, 'z')]),
    /cannot unpack layer "sha256:\w+": the tar is malformed/,
  ],
  [
    'another content than the config says',
    makeImage([layer], {
      editConfig: (config) => {
        config.rootfs = { type: 'layers', diff_ids: [`sha256:${'1'.repeat(64)}`] }
      },
    }),
    /where the image says sha256:111/,
  ],
  [
    'a climbing name',
    makeImage([[file('../x', 'x')]]),
    /cannot unpack layer "sha256:\w+": cannot use tar entry "\.\.\/x": it climbs up/,
  ],
  [
    'a layer that is none',
    makeImage([layer], { layerType: 'application/vnd.example+json' }),
    /is not a file system layer/,
  ],
  [
    'more layers than its config has',
    makeImage([layer], {
      editConfig: (config) => {
        config.rootfs = { type: 'layers', diff_ids: [] }
      },
    }),
    /has 1 layers where its config has 0/,
  ],
  [
    'a size that lies',
    makeImage([layer], {
      editManifest: (manifest) => {
        manifest.config = { ...(manifest.config as object), size: 3 }
      },
    }),
    /where the manifest says 3/,
  ],
])('pullImage() of an image with %s', async (_, bad, sentence) => {
  await using registry = await startFakeRegistry(bad)
  expect(await pull(registry)).toMatch(sentence)
  expectNothingBroken()
})

test('pullImage() takes a dropped download up where it broke', async () => {
  const half = Math.floor((big?.bytes.length ?? 0) / 2)
  await using registry = await startFakeRegistry(image, (req, res, count) => {
    if (req.url !== bigPath || count > 1) return false
    res.writeHead(200, { 'content-length': big?.bytes.length })
    res.write(big?.bytes.subarray(0, half), () => setTimeout(() => res.destroy(), 20))
    return true
  })
  expect(await pull(registry)).toBe(image.config.descriptor.digest)
  const ranges = registry.requests.filter((request) => request.includes('bytes='))
  expect(ranges).toHaveLength(1)
  expect(Number(/bytes=(\d+)-/.exec(ranges[0] ?? '')?.[1])).toBeGreaterThan(0)
})

test('pullImage() goes on with what an earlier pull has left, also when ranges are refused', async () => {
  const cut: Misbehave = (req, res) => {
    if (req.url !== bigPath || req.headers.range !== undefined)
      return req.url === bigPath ? answer(res, 500, '') : false
    res.writeHead(200, { 'content-length': big?.bytes.length })
    res.write(big?.bytes.subarray(0, 300_000), () => setTimeout(() => res.destroy(), 20))
    return true
  }
  for (const refuses of [false, true]) {
    rmSync(root, { recursive: true, force: true })
    store = openImageStore(root)
    await using broken = await startFakeRegistry(image, cut)
    expect(await pull(broken)).toMatch(/the registry has a fault/)
    await using good = await startFakeRegistry(image, (req, res) => {
      if (!refuses || req.url !== bigPath) return false
      res.end(contentAt(image, bigPath)?.bytes)
      return true
    })
    expect(await pull(good)).toBe(image.config.descriptor.digest)
    expect(good.requests.find((request) => request.includes(bigPath))).toMatch(/bytes=[1-9]\d*-/)
  }
})

test('pullImage() waits as long as Retry-After says and tries 5xx again', async () => {
  await using registry = await startFakeRegistry(image, (_, res, count) =>
    count === 1
      ? answer(res, 503, '')
      : count === 2
        ? answer(res, 429, '', { 'retry-after': '1' })
        : false,
  )
  expect(await pull(registry)).toBe(image.config.descriptor.digest)
})

test('pullImage() logs in with a token for the scope, once, and never shows it to another host', async () => {
  const seen: (string | undefined)[] = []
  await using storage = await startFakeRegistry(image, (req) => {
    seen.push(req.headers.authorization)
    return false
  })
  await using registry = await startFakeRegistry(image, (req, res) => {
    const url = req.url ?? ''
    if (url.startsWith('/token')) {
      expect(req.headers.authorization).toBe(`Basic ${Buffer.from('me:secret').toString('base64')}`)
      expect(new URL(url, 'http://x').searchParams.get('scope')).toBe('repository:app:pull')
      return answer(res, 200, '{"token":"abc","expires_in":300}')
    }
    if (req.headers.authorization !== 'Bearer abc') {
      const realm = `http://${req.headers.host}/token`
      return answer(res, 401, '', {
        'www-authenticate': `Bearer realm="${realm}",service="s",scope="repository:app:pull"`,
      })
    }
    return url.includes('/blobs/')
      ? answer(res, 307, '', { location: `http://${storage.host}${url}` })
      : false
  })
  const credentials = async () =>
    ({ kind: 'password', username: 'me', password: 'secret' }) as const
  expect(await pull(registry, { credentials })).toBe(image.config.descriptor.digest)
  expect(registry.requests.filter((request) => request.includes('/token'))).toHaveLength(1)
  expect(seen.length).toBeGreaterThan(0)
  expect(new Set(seen)).toEqual(new Set([undefined]))
})

test('pullImage() of a zstd layer and of a plain one', async () => {
  const { execFileSync } = await import('node:child_process')
  const zstd = makeImage([layer], {
    compress: (tar) => execFileSync('zstd', ['-c'], { input: tar, maxBuffer: 1e8 }),
    layerType: 'application/vnd.oci.image.layer.v1.tar+zstd',
  })
  const plain = makeImage([layer], { compress: 'none' })
  for (const each of [zstd, plain]) {
    await using registry = await startFakeRegistry(each)
    expect(await pull(registry)).toBe(each.config.descriptor.digest)
    expect(blob('', buildTar(layer)).descriptor.digest).toBe(each.diffIds[0])
  }
})
