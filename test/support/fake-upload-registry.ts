/** A registry to push to that misbehaves by script: takes uploads as the distribution-spec has them, unless the test answers. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { digestOf } from './make-image.ts'

export interface UploadRegistry extends AsyncDisposable {
  readonly host: string
  /** `METHOD path [content-range]` of every request so far, upload ids as `U`. */
  readonly requests: readonly string[]
  /** The authorization of every request so far. */
  readonly authorizations: readonly (string | undefined)[]
  readonly blobs: ReadonlyMap<string, Buffer>
  readonly manifests: ReadonlyMap<string, Buffer>
  /** Uploads that are under way, by their id: what has arrived. */
  readonly uploads: Map<string, Buffer>
}

/** True when it has answered (or will); `count` is 1 at the first request of the method. */
export type Interfere = (
  request: IncomingMessage,
  response: ServerResponse,
  count: number,
  registry: UploadRegistry,
) => boolean

/** Starts the registry on a free port of the loopback device. */
export async function startUploadRegistry(
  interfere: Interfere = () => false,
): Promise<UploadRegistry> {
  const counts = new Map<string, number>()
  const registry = {
    host: '',
    requests: [] as string[],
    authorizations: [] as (string | undefined)[],
    blobs: new Map<string, Buffer>(),
    manifests: new Map<string, Buffer>(),
    uploads: new Map<string, Buffer>(),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  const server = createServer((request, response) => {
    const { method = '', url = '', headers } = request
    counts.set(method, (counts.get(method) ?? 0) + 1)
    const range = headers['content-range'] ?? ''
    registry.requests.push(`${method} ${url.replace(/uploads\/\d+/, 'uploads/U')} ${range}`.trim())
    registry.authorizations.push(headers.authorization)
    request.on('error', () => {
      // The test breaks connections.
    })
    if (interfere(request, response, counts.get(method) ?? 0, registry)) return
    void serve(registry, request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  registry.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return registry
}

/** All of a request's body. */
export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

interface Stores {
  readonly blobs: Map<string, Buffer>
  readonly manifests: Map<string, Buffer>
  readonly uploads: Map<string, Buffer>
}

async function serve(stores: Stores, request: IncomingMessage, response: ServerResponse) {
  const url = new URL(request.url ?? '', 'http://x')
  const body = await bodyOf(request)
  const end = (status: number, headers: Record<string, string> = {}): void => {
    response.writeHead(status, headers).end()
  }
  const name = url.pathname.split('/').at(-1) ?? ''
  if (url.pathname.includes('/manifests/')) {
    if (request.method !== 'PUT') return end(stores.manifests.has(name) ? 200 : 404)
    stores.manifests.set(name, body)
    return end(201, { 'docker-content-digest': digestOf(body) })
  }
  if (request.method === 'HEAD') return end(stores.blobs.has(name) ? 200 : 404)
  if (request.method === 'POST') {
    const id = String(stores.uploads.size + 1)
    stores.uploads.set(id, Buffer.alloc(0))
    return end(202, { location: `/v2/app/blobs/uploads/${id}` })
  }
  const known = stores.uploads.get(name)
  if (known === undefined) return end(404)
  const all = Buffer.concat([known, body])
  const at = { location: url.pathname, range: `0-${Math.max(0, all.length - 1)}` }
  if (request.method === 'GET') return end(204, at)
  const start = /^(\d+)-/.exec(String(request.headers['content-range'] ?? ''))?.[1]
  if (start !== undefined && Number(start) !== known.length) return end(416, at)
  stores.uploads.set(name, all)
  if (request.method === 'PATCH') return end(202, at)
  const digest = url.searchParams.get('digest') ?? ''
  if (digestOf(all) !== digest) return end(400)
  stores.blobs.set(digest, all)
  return end(201)
}
