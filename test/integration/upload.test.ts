/** What a client of the distribution-spec does when pushes break off, move, wait and are refused. */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeError } from '../../src/errors.ts'
import type { Image, ImageStore } from '../../src/images/image-store.ts'
import { openImageStore } from '../../src/images/open-image-store.ts'
import { pullImage } from '../../src/images/pull.ts'
import { type PushOptions, pushImage } from '../../src/images/push.ts'
import { parseReference } from '../../src/oci/reference.ts'
import { startFakeRegistry } from '../support/fake-registry.ts'
import {
  bodyOf,
  type Interfere,
  startUploadRegistry,
  type UploadRegistry,
} from '../support/fake-upload-registry.ts'
import { makeImage } from '../support/make-image.ts'
import { file } from '../support/tar-builder.ts'
import { createTempDir, type TempDir } from '../support/temp-dir.ts'

const CHUNK = 100_000
const made = makeImage([[file('a', randomBytes(290_000))]])
const [layer] = made.layers
const digest = layer?.descriptor.digest ?? ''
const size = layer?.descriptor.size ?? 0
const [c1, c2] = [`0-${CHUNK - 1}`, `${CHUNK}-${2 * CHUNK - 1}`]

let folder: TempDir
let store: ImageStore
let image: Image

beforeAll(async () => {
  folder = createTempDir('tsrun-upload-')
  store = openImageStore(folder.path)
  await using source = await startFakeRegistry(made)
  image = await pullImage(store, parseReference(`${source.host}/app`))
})
afterAll(() => folder[Symbol.dispose]())

async function push(registry: UploadRegistry, options: PushOptions = {}): Promise<string> {
  try {
    const { descriptor } = await pushImage(
      store,
      image,
      parseReference(`${registry.host}/app:v1`),
      {
        retry: { attempts: 3, baseMs: 1, maxWaitMs: 1500 },
        credentials: async () => undefined,
        chunkBytes: CHUNK,
        ...options,
      },
    )
    return descriptor.digest
  } catch (error) {
    return describeError(error).replaceAll(registry.host, 'HOST')
  }
}

/** Pushes to a registry with this quirk and expects all of the image to arrive. */
async function arrives(
  interfere: Interfere,
  options: PushOptions = {},
): Promise<readonly string[]> {
  await using registry = await startUploadRegistry(interfere)
  expect(await push(registry, options)).toBe(made.manifest.descriptor.digest)
  for (const { descriptor, bytes } of [made.config, ...made.layers])
    expect(registry.blobs.get(descriptor.digest)?.equals(bytes)).toBe(true)
  expect(registry.manifests.get('v1')).toEqual(made.manifest.bytes)
  return registry.requests
}

const patches = (requests: readonly string[]): string[] =>
  requests.filter((line) => line.startsWith('PATCH')).map((line) => line.split(' ')[2] ?? '')

describe('a large blob', () => {
  test('goes in chunks, a small one whole', async () => {
    const requests = await arrives(() => false)
    expect(patches(requests)).toEqual([c1, c2, `200000-${size - 1}`])
    const puts = requests.filter((line) => line.startsWith('PUT /v2/app/blobs/'))
    expect(puts).toHaveLength(2)
  })

  test('goes on behind the last byte that arrived before the connection broke', async () => {
    const requests = await arrives((request, response, count, registry) => {
      if (request.method !== 'PATCH' || count !== 2) return false
      request.once('data', (chunk: Buffer) => {
        const id = request.url?.split('/').at(-1) ?? ''
        const part = chunk.subarray(0, 777)
        registry.uploads.set(id, Buffer.concat([registry.uploads.get(id) ?? Buffer.alloc(0), part]))
        response.destroy()
      })
      return true
    })
    expect(patches(requests)).toEqual([c1, c2, '100777-200776', `200777-${size - 1}`])
    expect(requests.filter((line) => line === 'GET /v2/app/blobs/uploads/U')).toHaveLength(1)
  })

  test('takes the registry’s word on how much it has (416)', async () => {
    const requests = await arrives((request, response, count) => {
      if (request.method !== 'PATCH' || count !== 2) return false
      request.resume()
      request.once('end', () => response.writeHead(416, { range: `0-${CHUNK - 1}` }).end())
      return true
    })
    expect(patches(requests)).toEqual([c1, c2, c2, `200000-${size - 1}`])
  })

  test('is begun again when the registry has forgotten the upload', async () => {
    const requests = await arrives((request, _response, count, registry) => {
      if (request.method === 'PATCH' && count === 2)
        registry.uploads.delete(request.url?.split('/').at(-1) ?? '')
      return false
    })
    expect(patches(requests)).toEqual([c1, c2, c1, c2, `200000-${size - 1}`])
  })

  test('goes whole to a registry that takes no chunks', async () => {
    const requests = await arrives((request, response) => {
      if (request.method !== 'PATCH') return false
      request.resume()
      request.once('end', () => response.writeHead(405).end())
      return true
    })
    expect(patches(requests)).toEqual([c1])
  })

  test('is not sent again when only the last answer was lost', async () => {
    const requests = await arrives((request, response, _count, registry) => {
      if (request.method !== 'PUT' || request.url?.includes(digest.replace(':', '%3A')) !== true)
        return false
      const id = /uploads\/(\d+)/.exec(request.url)?.[1] ?? ''
      ;(registry.blobs as Map<string, Buffer>).set(
        digest,
        registry.uploads.get(id) ?? Buffer.alloc(0),
      )
      response.destroy()
      return true
    })
    expect(patches(requests)).toEqual([c1, c2, `200000-${size - 1}`])
  })
})

describe('a registry that', () => {
  test('sends uploads to storage elsewhere never shows it its credentials', async () => {
    await using storage = await startUploadRegistry()
    storage.uploads.set('9', Buffer.alloc(0))
    await using registry = await startUploadRegistry((request, response, _, self) => {
      if (request.headers.authorization !== 'Basic bWU6c2VjcmV0') {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
        request.resume()
        return true
      }
      if (request.method === 'HEAD')
        (self.blobs as Map<string, Buffer>).set(made.config.descriptor.digest, made.config.bytes)
      if (request.method !== 'POST') return false
      const location = `http://${storage.host}/v2/app/blobs/uploads/9`
      response.writeHead(202, { location }).end()
      return true
    })
    const credentials = async () =>
      ({ kind: 'password', username: 'me', password: 'secret' }) as const
    expect(await push(registry, { credentials })).toBe(made.manifest.descriptor.digest)
    expect(storage.blobs.has(digest)).toBe(true)
    expect(new Set(storage.authorizations)).toEqual(new Set([undefined]))
  })

  test('redirects an upload gets the body again there', async () => {
    await arrives((request, response) => {
      const { url = '' } = request
      if (
        !/^P(ATCH|UT)$/.test(request.method ?? '') ||
        !url.includes('/uploads/') ||
        url.includes('moved')
      )
        return false
      request.resume()
      const location = `${url}${url.includes('?') ? '&' : '?'}moved=1`
      request.once('end', () => response.writeHead(307, { location }).end())
      return true
    })
  })

  test('is asked for a new token when the old one runs out midway', async () => {
    let good = 'one'
    const scopes: string[] = []
    await arrives((request, response, count) => {
      if (request.url?.startsWith('/token') === true) {
        scopes.push(new URL(request.url, 'http://x').searchParams.getAll('scope').join(' '))
        response.writeHead(200).end(JSON.stringify({ token: good, expires_in: 3600 }))
        return true
      }
      if (request.method === 'PATCH' && count === 2) good = 'two'
      if (request.headers.authorization === `Bearer ${good}`) return false
      const realm = `http://${request.headers.host}/token`
      const challenge = `Bearer realm="${realm}",service="s",scope="repository:app:pull"`
      request.resume()
      request.once('end', () => response.writeHead(401, { 'www-authenticate': challenge }).end())
      return true
    })
    expect(new Set(scopes)).toEqual(new Set(['repository:app:pull,push']))
    expect(scopes.length).toBeGreaterThanOrEqual(2)
  })

  test.each([202, 401, 403, 404, 405])('refuses to mount by %i gets the blob', async (status) => {
    await using registry = await startUploadRegistry((request, response) => {
      if (request.url?.includes('mount=') !== true) return false
      response.writeHead(status, { location: '/v2/app/blobs/uploads/77' }).end()
      return true
    })
    const other = `${registry.host}/other:v1`
    await store.names.set(other, image.target)
    expect(await push(registry)).toBe(made.manifest.descriptor.digest)
    await store.names.remove([other])
    expect(registry.blobs.has(digest)).toBe(true)
    expect(registry.requests.filter((line) => line.includes('from=other'))).toHaveLength(2)
  })

  test('waits as long as Retry-After says', async () => {
    await arrives((request, response, count) => {
      if (request.method !== 'PUT' || count > 1) return false
      request.resume()
      request.once('end', () => response.writeHead(429, { 'retry-after': '0' }).end())
      return true
    })
  })

  test.each<[string, number, RegExp]>([
    [
      'a login',
      401,
      /^cannot push blob "sha256:\w+" to registry "HOST": it asks for a login \(HTTP 401\)/,
    ],
    [
      'an account with more rights',
      403,
      /access is denied \(HTTP 403\); hint: check that this account may push/,
    ],
    ['a repository that is there', 404, /it does not take it \(HTTP 404\); hint: check the name/],
    ['smaller blobs', 413, /it refused \(HTTP 413\)/],
    ['to be left alone', 500, /the registry has a fault \(HTTP 500\); hint: try again later/],
  ])('wants %s says so in one sentence', async (_, status, message) => {
    await using registry = await startUploadRegistry((request, response) => {
      if (request.method !== 'POST') return false
      response.writeHead(status).end()
      return true
    })
    expect(await push(registry)).toMatch(message)
    expect(registry.manifests.size).toBe(0)
  })

  test('forgets every upload is given up after so many tries', async () => {
    await using registry = await startUploadRegistry((request, _response, count, self) => {
      if (request.method === 'PATCH' && count % 2 === 0) self.uploads.clear()
      return false
    })
    expect(await push(registry)).toMatch(/it forgets the upload again and again/)
    expect(patches(registry.requests)).toEqual([c1, c2, c1, c2, c1, c2])
  })

  test('breaks every upload is given up after so many tries', async () => {
    await using registry = await startUploadRegistry((request, response) => {
      if (request.method !== 'PATCH') return false
      request.once('data', () => response.destroy())
      return true
    })
    expect(await push(registry)).toMatch(
      /cannot push blob "sha256:\w+" to registry "HOST": .*again and again/,
    )
    expect(patches(registry.requests)).toEqual([c1, c1, c1])
  })

  test('stores another manifest than was sent is found out', async () => {
    await using registry = await startUploadRegistry((request, response) => {
      if (request.method !== 'PUT' || request.url?.includes('/manifests/') !== true) return false
      void bodyOf(request).then(() =>
        response.writeHead(201, { 'docker-content-digest': `sha256:${'0'.repeat(64)}` }).end(),
      )
      return true
    })
    expect(await push(registry)).toMatch(/it has stored sha256:0+ instead of sha256:/)
  })
})

test('a push that is aborted ends at once and sets no tag', async () => {
  const stop = new AbortController()
  await using registry = await startUploadRegistry((request) => {
    if (request.method !== 'PATCH') return false
    stop.abort(new Error('enough'))
    return true
  })
  expect(await push(registry, { signal: stop.signal })).toBe('enough')
  expect(registry.manifests.size).toBe(0)
})
