/** A registry that misbehaves by script: each request is answered by the test. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { MadeImage } from './make-image.ts'

export interface FakeRegistry extends AsyncDisposable {
  readonly host: string
  /** `METHOD path [range]` of every request so far. */
  readonly requests: readonly string[]
}

/** True when it has answered; otherwise the image is served as a good registry would. */
export type Misbehave = (
  request: IncomingMessage,
  response: ServerResponse,
  count: number,
) => boolean

/**
 * Serves `image` as `app:latest`, except where `misbehave` answers; `count` is 1 at the first request of a path.
 * With `tls` it speaks that alone.
 */
export async function startFakeRegistry(
  image: MadeImage,
  misbehave: Misbehave = () => false,
  tls?: { readonly key: string; readonly cert: string },
): Promise<FakeRegistry> {
  const requests: string[] = []
  const counts = new Map<string, number>()
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    const url = request.url ?? ''
    counts.set(url, (counts.get(url) ?? 0) + 1)
    requests.push(
      [request.method, url, request.headers.range].filter((part) => part !== undefined).join(' '),
    )
    if (!misbehave(request, response, counts.get(url) ?? 0)) serve(image, request, response)
  }
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    host: `127.0.0.1:${port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** The bytes of the blob or manifest that a URL names. */
export function contentAt(
  image: MadeImage,
  url: string,
): { bytes: Buffer; type: string } | undefined {
  const name = url.split('/').at(-1)
  if (
    url.includes('/manifests/') &&
    (name === 'latest' || name === image.manifest.descriptor.digest)
  ) {
    return { bytes: image.manifest.bytes, type: image.manifest.descriptor.mediaType }
  }
  const blob = [image.config, ...image.layers].find(({ descriptor }) => descriptor.digest === name)
  return blob === undefined ? undefined : { bytes: blob.bytes, type: 'application/octet-stream' }
}

function serve(image: MadeImage, request: IncomingMessage, response: ServerResponse): void {
  const content = contentAt(image, request.url ?? '')
  if (content === undefined) {
    response.writeHead(404, { 'content-type': 'application/json' })
    response.end(
      JSON.stringify({ errors: [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }] }),
    )
    return
  }
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? Number.NaN)
  const { bytes, type } = content
  if (Number.isNaN(from)) {
    response.writeHead(200, { 'content-type': type, 'content-length': bytes.length })
    response.end(bytes)
    return
  }
  response.writeHead(206, {
    'content-type': type,
    'content-length': bytes.length - from,
    'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}`,
  })
  response.end(bytes.subarray(from))
}
