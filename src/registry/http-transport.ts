/** Single HTTP requests over node-fetch: keep-alive, certificates, timeouts; no redirects, no retries, no auth. */
import type { Agent as HttpAgent } from 'node:http'
import type { Agent as HttpsAgent } from 'node:https'
import { Readable } from 'node:stream'
import { rootCertificates, type SecureContextOptions } from 'node:tls'
import fetch, { type Response } from 'node-fetch'
import { TsrunError } from '../errors.ts'
import { readTextIfThere } from '../util/if-there.ts'
import { agentThrough, plainAgentThrough, proxyFor } from './proxy-agent.ts'
import type { EndpointCertificates } from './resolve-reference.ts'

export interface TransportOptions {
  readonly verifyTls: boolean
  /** Authorities and a client certificate for one host; redirects lead to others, which never see them. */
  readonly certificates?: EndpointCertificates
  readonly certificateHost?: string
  /** No byte for so long ends a request. */
  readonly stallMs?: number
  /** `SSL_CERT_FILE`, `TSRUN_EXTRA_CA_CERTS`, `NODE_EXTRA_CA_CERTS`, `HTTPS_PROXY`, `NO_PROXY`. */
  readonly env?: NodeJS.ProcessEnv
}

export interface HttpRequest {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** A stream is read once: who tries again gives another. Its length stands in `content-length`. */
  readonly body?: string | Buffer | AsyncIterable<Buffer>
  readonly signal?: AbortSignal | undefined
}

const SYSTEM_CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt'
const DEFAULT_STALL_MS = 60_000
const MAX_SOCKETS = 8
const MAX_UNWANTED_BYTES = 64 * 1024

/** Sends requests and reads answers. Dispose it to close idle connections. */
export class HttpTransport implements Disposable {
  readonly #options: TransportOptions
  /** By scheme, proxy and certificates: a redirect may lead to a host with others. */
  readonly #agents = new Map<string, HttpAgent | HttpsAgent>()

  constructor(options: TransportOptions) {
    this.#options = options
  }

  /** The answer's head. Its body must be read by {@link readText} or {@link chunks}, or dropped by {@link drop}. */
  async request(url: URL, request: HttpRequest): Promise<Response> {
    const stall = new AbortController()
    const timer = setTimeout(() => stall.abort(), this.#stallMs)
    // A body that moves is no stall, however long all of it takes.
    const body = streamOf(request.body, () => timer.refresh())
    try {
      return await fetch(url.href, {
        method: request.method ?? 'GET',
        headers: { 'user-agent': 'tsrun', ...request.headers },
        body,
        redirect: 'manual',
        // Bodies are hashed as they are sent: no decoding on the way.
        compress: false,
        agent: this.#agentFor(url),
        signal: signalOf(request.signal, stall.signal),
        highWaterMark: 256 * 1024,
      })
    } catch (cause) {
      request.signal?.throwIfAborted()
      throw stall.signal.aborted ? new StallError(url.host, this.#stallMs) : cause
    } finally {
      clearTimeout(timer)
      // An answer may come before the body has been read to its end.
      if (body instanceof Readable) body.destroy()
    }
  }

  /** The body in chunks. Throws when the connection breaks or stalls. */
  async *chunks(response: Response, signal?: AbortSignal): AsyncGenerator<Buffer> {
    const body = bodyOf(response)
    let timer: NodeJS.Timeout | undefined
    const restart = (): void => {
      clearTimeout(timer)
      timer = setTimeout(
        () => body.destroy(new StallError(response.url, this.#stallMs)),
        this.#stallMs,
      )
    }
    const stop = (): void => {
      body.destroy(signal?.reason instanceof Error ? signal.reason : new Error('aborted'))
    }
    signal?.addEventListener('abort', stop, { once: true })
    try {
      restart()
      for await (const chunk of body) {
        // The consumer's own time does not count.
        clearTimeout(timer)
        yield chunk as Buffer
        restart()
      }
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
      body.destroy()
    }
  }

  /** The body as bytes; throws `invalid-argument` when it is larger than `maximum`. */
  async readBytes(response: Response, maximum: number): Promise<Buffer> {
    const chunks: Buffer[] = []
    let length = 0
    for await (const chunk of this.chunks(response)) {
      length += chunk.length
      if (length > maximum) {
        throw new TsrunError(
          'invalid-argument',
          `the answer of ${new URL(response.url).host} is larger than ${maximum} bytes`,
        )
      }
      chunks.push(chunk)
    }
    return Buffer.concat(chunks)
  }

  async readText(response: Response, maximum: number): Promise<string> {
    return (await this.readBytes(response, maximum)).toString('utf8')
  }

  /** Ends an answer whose body nobody wants, and keeps the connection when that costs little. */
  async finish(response: Response): Promise<void> {
    try {
      await this.readBytes(response, MAX_UNWANTED_BYTES)
    } catch {
      // Too long or broken: the connection is closed, and the head has said what there is to know.
      this.drop(response)
    }
  }

  /** Ends an answer whose body nobody wants. */
  drop(response: Response): void {
    const body = bodyOf(response)
    body.on('error', () => {
      // Destroying a body in flight is reported as an error to nobody's interest.
    })
    body.destroy()
  }

  [Symbol.dispose](): void {
    for (const agent of this.#agents.values()) agent.destroy()
  }

  get #stallMs(): number {
    return this.#options.stallMs ?? DEFAULT_STALL_MS
  }

  #agentFor(url: URL): HttpAgent | HttpsAgent {
    const proxy = proxyFor(url, this.#env)
    const isOwn = url.host === this.#options.certificateHost
    const key = [url.protocol, proxy?.href ?? '', isOwn ? url.host : ''].join(' ')
    const known = this.#agents.get(key)
    if (known !== undefined) return known
    const options = { keepAlive: true, maxSockets: MAX_SOCKETS }
    const agent =
      url.protocol === 'http:'
        ? plainAgentThrough(proxy, options)
        : agentThrough(proxy, { ...options, ...this.#tlsOptions(isOwn) })
    this.#agents.set(key, agent)
    return agent
  }

  #tlsOptions(isOwn: boolean): SecureContextOptions & { rejectUnauthorized: boolean } {
    const { verifyTls } = this.#options
    const own = isOwn ? this.#options.certificates : undefined
    const client = own?.client
    return {
      rejectUnauthorized: verifyTls,
      ...(verifyTls ? { ca: [...certificates(this.#env), ...(own?.authorities ?? [])] } : {}),
      ...(client === undefined ? {} : { cert: client.certificate, key: client.key }),
    }
  }

  get #env(): NodeJS.ProcessEnv {
    return this.#options.env ?? process.env
  }
}

/** A peer that is connected and silent. */
export class StallError extends Error {
  readonly code = 'ETIMEDOUT'

  constructor(host: string, ms: number) {
    super(`no data from ${host} for ${ms / 1000} seconds`)
  }
}

function streamOf(
  body: HttpRequest['body'],
  onChunk: () => void,
): string | Buffer | Readable | null {
  if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) return body ?? null
  async function* watched(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      onChunk()
      yield chunk
    }
  }
  return Readable.from(watched(body), { objectMode: false })
}

interface BodyStream extends AsyncIterable<unknown> {
  destroy(error?: Error): void
  on(event: 'error', listener: () => void): void
}

function bodyOf(response: Response): BodyStream {
  if (response.body === null)
    throw new TsrunError('unavailable', `${response.url} answered without a body`)
  return response.body as unknown as BodyStream
}

// The system's list where there is one: that is where administrators add and remove authorities.
// SSL_CERT_FILE replaces it, as for OpenSSL and Go.
function certificates(env: NodeJS.ProcessEnv): string[] {
  const system = namedFile('SSL_CERT_FILE', env) ?? readTextIfThere(SYSTEM_CERTIFICATES)
  const list = system === undefined ? [...rootCertificates] : [system]
  for (const name of ['TSRUN_EXTRA_CA_CERTS', 'NODE_EXTRA_CA_CERTS']) {
    const extra = namedFile(name, env)
    if (extra !== undefined) list.push(extra)
  }
  return list
}

function namedFile(variable: string, env: NodeJS.ProcessEnv): string | undefined {
  const path = env[variable]
  if (path === undefined || path === '') return undefined
  const text = readTextIfThere(path)
  if (text !== undefined) return text
  throw new TsrunError('not-found', `cannot read "${path}" of ${variable}: there is no such file`)
}

type FetchSignal = NonNullable<NonNullable<Parameters<typeof fetch>[1]>['signal']>

function signalOf(outer: AbortSignal | undefined, stall: AbortSignal): FetchSignal {
  return (outer === undefined ? stall : AbortSignal.any([outer, stall])) as unknown as FetchSignal
}
