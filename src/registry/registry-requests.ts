/** Requests to one registry with everything a single answer may need: login, redirects, waiting, trying again. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Response } from 'node-fetch'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { Authenticator } from './authenticate.ts'
import type { Credentials } from './credentials.ts'
import { type HttpRequest, HttpTransport } from './http-transport.ts'
import {
  connectionError,
  failed,
  isTransient,
  type RegistryAction,
  statusError,
} from './registry-errors.ts'
import type { RegistryEndpoint } from './resolve-reference.ts'

export interface RetryPolicy {
  /** Tries of one request altogether. */
  readonly attempts: number
  /** Before the second try; doubles each time. */
  readonly baseMs: number
  /** A longer Retry-After is not waited for. */
  readonly maxWaitMs: number
}

export interface RegistryRequestsOptions {
  readonly credentials: () => Promise<Credentials | undefined>
  readonly retry?: Partial<RetryPolicy>
  readonly stallMs?: number
  readonly env?: NodeJS.ProcessEnv
  /** Token scopes, one or several with spaces between; default: to pull from the endpoint's repository. */
  readonly scope?: string
  /** The user who logs in: the token service is asked for an identity token too. */
  readonly offlineAs?: string
}

export interface RegistryRequest {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
  /** Below the registry's address, or the whole address of an upload that the registry has opened. */
  readonly path: string | URL
  readonly headers?: Readonly<Record<string, string>>
  /** Called once for each try. */
  readonly body?: () => NonNullable<HttpRequest['body']>
  /** What is being done with it, for messages; default `get`. */
  readonly action?: RegistryAction
  /** `false`: one try, because the caller knows better how to go on. */
  readonly retried?: boolean
  /** For messages: `manifest "library/busybox:latest"`. */
  readonly what: string
  /** Statuses besides 2xx that the caller handles. */
  readonly accept?: readonly number[]
  readonly signal?: AbortSignal | undefined
}

const DEFAULT_RETRY: RetryPolicy = { attempts: 6, baseMs: 500, maxWaitMs: 60_000 }
const MAX_REDIRECTS = 10
const RETRIED_STATUSES: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504])

export class RegistryRequests implements Disposable {
  readonly retry: RetryPolicy
  readonly transport: HttpTransport
  readonly #endpoint: RegistryEndpoint
  readonly #authenticator: Authenticator
  readonly #scope: string
  #scheme: 'https' | 'http' | undefined

  constructor(endpoint: RegistryEndpoint, options: RegistryRequestsOptions) {
    this.#endpoint = endpoint
    this.retry = { ...DEFAULT_RETRY, ...options.retry }
    this.transport = new HttpTransport({
      verifyTls: endpoint.verifyTls,
      ...(endpoint.certificates === undefined
        ? {}
        : { certificates: endpoint.certificates, certificateHost: endpoint.host }),
      ...(options.stallMs === undefined ? {} : { stallMs: options.stallMs }),
      ...(options.env === undefined ? {} : { env: options.env }),
    })
    this.#authenticator = new Authenticator(this.transport, options.credentials, options.offlineAs)
    this.#scope = options.scope ?? `repository:${endpoint.repository}:pull`
  }

  /** What the token service gave to be kept instead of a password. */
  get identityToken(): string | undefined {
    return this.#authenticator.identityToken
  }

  /** Where the registry answered, or will most likely. */
  get address(): URL {
    return new URL(
      `${this.#scheme ?? this.#endpoint.schemes[0] ?? 'https'}://${this.#endpoint.host}`,
    )
  }

  /** The first final answer: 2xx or a status that the caller accepts. All else throws one sentence. */
  async send(request: RegistryRequest): Promise<Response> {
    for (let attempt = 1; ; attempt++) {
      const last = attempt >= this.retry.attempts || request.retried === false
      let response: Response
      try {
        response = await this.#sendAuthenticated(request)
      } catch (cause) {
        request.signal?.throwIfAborted()
        if (cause instanceof TsrunError) throw cause
        if (last || !isTransient(cause))
          throw connectionError(this.#endpoint.host, request.what, cause, request.action)
        await this.wait(attempt, request.signal)
        continue
      }
      if (response.ok || request.accept?.includes(response.status) === true) return response
      const wait = retryAfterMs(response.headers.get('retry-after'))
      if (!RETRIED_STATUSES.has(response.status) || last || (wait ?? 0) > this.retry.maxWaitMs) {
        throw await this.#failure(response, request, wait)
      }
      this.transport.drop(response)
      await this.wait(attempt, request.signal, wait)
    }
  }

  /** The body, with breaks of the connection told as the registry's. */
  async readBytes(response: Response, maximum: number, what: string): Promise<Buffer> {
    try {
      return await this.transport.readBytes(response, maximum)
    } catch (cause) {
      if (cause instanceof TsrunError) {
        throw new TsrunError(
          cause.kind,
          `cannot get ${what} from registry "${this.#endpoint.host}"`,
          { cause },
        )
      }
      throw connectionError(this.#endpoint.host, what, cause)
    }
  }

  /** The pause before try `attempt` + 1, with a part by chance so that many clients spread. */
  async wait(attempt: number, signal?: AbortSignal, wanted?: number): Promise<void> {
    const backoff = this.retry.baseMs * 2 ** (attempt - 1) * (0.5 + Math.random())
    await sleep(
      Math.min(wanted ?? backoff, this.retry.maxWaitMs),
      undefined,
      signal === undefined ? {} : { signal },
    )
  }

  [Symbol.dispose](): void {
    this.transport[Symbol.dispose]()
  }

  async #sendAuthenticated(request: RegistryRequest): Promise<Response> {
    for (let tries = 0; ; tries++) {
      const header = this.#authenticator.headerFor(this.#scope)
      const response = await this.#sendToRegistry(request, header)
      const challenge = response.headers.get('www-authenticate')
      // Twice: a token may have run out on the way, and the fresh one is refused only if it is no good.
      if (response.status !== 401 || challenge === null || tries >= 2) return response
      this.#authenticator.forget(this.#scope)
      if (tries > 0 && header !== undefined) return response
      if (!(await this.#authenticator.answer(challenge, this.#scope, this.address, request.signal)))
        return response
      this.transport.drop(response)
    }
  }

  // The scheme that answered first is kept: no later request may fall back from TLS.
  async #sendToRegistry(
    request: RegistryRequest,
    authorization: string | undefined,
  ): Promise<Response> {
    const { path } = request
    if (path instanceof URL) {
      const own = path.origin === this.address.origin
      return await this.#followRedirects(path, request, own ? authorization : undefined)
    }
    const schemes = this.#scheme === undefined ? this.#endpoint.schemes : [this.#scheme]
    for (const [i, scheme] of schemes.entries()) {
      try {
        const url = new URL(`${scheme}://${this.#endpoint.host}${path}`)
        const response = await this.#followRedirects(url, request, authorization)
        this.#scheme = scheme
        return response
      } catch (cause) {
        if (i === schemes.length - 1 || !speaksOtherScheme(cause)) throw cause
      }
    }
    throw new RangeError('an endpoint without schemes')
  }

  async #followRedirects(
    start: URL,
    request: RegistryRequest,
    authorization: string | undefined,
  ): Promise<Response> {
    let url = start
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      // Storage behind a registry must never see its tokens: another origin gets none.
      const isOwn = url.origin === start.origin
      const own = isOwn && authorization !== undefined ? { authorization } : {}
      const configured = isOwn && !(request.path instanceof URL) ? this.#endpoint.headers : {}
      const response = await this.transport.request(url, {
        method: request.method ?? 'GET',
        headers: { ...configured, ...request.headers, ...own },
        ...(request.body === undefined ? {} : { body: request.body() }),
        signal: request.signal,
      })
      const location = response.headers.get('location')
      if (response.status < 300 || response.status >= 400 || location === null) return response
      this.transport.drop(response)
      url = redirectTarget(url, location, (problem) => this.#refuse(request, problem))
    }
    throw this.#refuse(request, `more than ${MAX_REDIRECTS} redirects`)
  }

  #refuse({ what, action = 'get' }: RegistryRequest, problem: string): TsrunError {
    return new TsrunError('unavailable', `${failed(action, what, this.#endpoint.host)}: ${problem}`)
  }

  async #failure(
    response: Response,
    request: RegistryRequest,
    retryAfter: number | undefined,
  ): Promise<TsrunError> {
    let body = ''
    try {
      body = await this.transport.readText(response, 64 * 1024)
    } catch {
      // The status alone must do: the body only adds the registry's own words.
    }
    return statusError({
      endpoint: this.#endpoint,
      what: request.what,
      action: request.action ?? 'get',
      status: response.status,
      body,
      retryAfter,
    })
  }
}

function redirectTarget(from: URL, location: string, refuse: (problem: string) => TsrunError): URL {
  const target = URL.canParse(location, from.href) ? new URL(location, from) : undefined
  const isDowngrade = from.protocol === 'https:' && target?.protocol === 'http:'
  if (target !== undefined && /^https?:$/.test(target.protocol) && !isDowngrade) return target
  throw refuse(`it redirects to ${isDowngrade ? 'plain HTTP' : 'no web address'}`)
}

// What a client meets that speaks plain HTTP to a TLS port, or TLS to a plain one, or finds no server at the port.
function speaksOtherScheme(cause: unknown): boolean {
  if (cause instanceof TsrunError) return false
  const code = errnoCodeOf(cause) ?? ''
  const text =
    cause instanceof Error ? `${cause.message} ${String(Reflect.get(cause, 'code') ?? '')}` : ''
  return (
    code === 'EPROTO' ||
    code === 'ECONNRESET' ||
    /wrong version number|socket hang up|HPE_|Parse Error/i.test(text)
  )
}

/** Milliseconds of a Retry-After header: seconds or an HTTP date (RFC 9110 10.2.3). */
export function retryAfterMs(header: string | null, now = Date.now()): number | undefined {
  if (header === null) return undefined
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000
  const date = Date.parse(header)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}
