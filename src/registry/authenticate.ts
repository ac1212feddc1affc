/** Answers the challenges of registries: Bearer tokens (distribution "Token Authentication") and Basic. */
import { TsrunError } from '../errors.ts'
import type { Credentials } from './credentials.ts'
import type { HttpTransport } from './http-transport.ts'

export interface Challenge {
  /** Lower case: `bearer`, `basic`. */
  readonly scheme: string
  readonly parameters: Readonly<Record<string, string>>
}

/** The challenges in a WWW-Authenticate header (RFC 9110 11.6.1); what cannot be read is left out. */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Record<string, string> }[] = []
  const token = /\s*,?\s*([A-Za-z][\w-]*)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?/gy
  for (let match = token.exec(header); match !== null; match = token.exec(header)) {
    const [, name = '', quoted, plain] = match
    const value = quoted?.replace(/\\(.)/g, '$1') ?? plain
    if (value === undefined) challenges.push({ scheme: name.toLowerCase(), parameters: {} })
    else {
      const current = challenges.at(-1)
      if (current !== undefined) current.parameters[name.toLowerCase()] = value
    }
  }
  return challenges
}

interface CachedToken {
  readonly header: string
  /** Milliseconds since the epoch. */
  readonly expires: number
}

const MIN_LIFETIME_SECONDS = 60
const MAX_TOKEN_BYTES = 1024 * 1024

/** Makes Authorization headers for one registry and keeps tokens for as long as they are good. */
export class Authenticator {
  readonly #transport: HttpTransport
  readonly #credentials: () => Promise<Credentials | undefined>
  readonly #tokens = new Map<string, CachedToken>()
  readonly #offlineAs: string | undefined
  #basic: string | undefined
  #identityToken: string | undefined

  /** `offlineAs`: the user for whom an identity token is asked for. */
  constructor(
    transport: HttpTransport,
    credentials: () => Promise<Credentials | undefined>,
    offlineAs?: string,
  ) {
    this.#transport = transport
    this.#credentials = credentials
    this.#offlineAs = offlineAs
  }

  /** A refresh token that came with an access token. */
  get identityToken(): string | undefined {
    return this.#identityToken
  }

  /** The header for a request with `scope`, when an earlier challenge left one. */
  headerFor(scope: string, now = Date.now()): string | undefined {
    const token = this.#tokens.get(scope)
    if (token !== undefined && token.expires > now) return token.header
    return this.#basic
  }

  /** Drops what {@link headerFor} gave: the registry refused it. */
  forget(scope: string): void {
    this.#tokens.delete(scope)
    this.#basic = undefined
  }

  /** Answers a 401. False when there is nothing to answer with: no known challenge, or no credentials. */
  async answer(
    wwwAuthenticate: string,
    scope: string,
    registry: URL,
    signal?: AbortSignal,
  ): Promise<boolean> {
    const challenges = parseChallenges(wwwAuthenticate)
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer')
    if (bearer !== undefined) {
      this.#tokens.set(scope, await this.#fetchToken(bearer, scope, registry, signal))
      return true
    }
    if (!challenges.some(({ scheme }) => scheme === 'basic')) return false
    const credentials = await this.#credentials()
    if (credentials?.kind !== 'password') return false
    this.#basic = basicHeader(credentials)
    return true
  }

  async #fetchToken(
    { parameters }: Challenge,
    scope: string,
    registry: URL,
    signal?: AbortSignal,
  ): Promise<CachedToken> {
    const { host } = registry
    const realm = realmUrl(parameters.realm, registry)
    const credentials = await this.#credentials()
    const wanted = { service: parameters.service, scope: joinScopes(scope, parameters.scope) }
    const response =
      credentials?.kind === 'identity-token'
        ? await this.#transport.request(realm, {
            method: 'POST',
            headers: { 'content-type': 'application/x-www-form-urlencoded' },
            body: form({
              ...wanted,
              grant_type: 'refresh_token',
              client_id: 'tsrun',
              refresh_token: credentials.token,
            }),
            signal,
          })
        : await this.#transport.request(withQuery(realm, { ...wanted, ...this.#offlineQuery() }), {
            headers: credentials === undefined ? {} : { authorization: basicHeader(credentials) },
            signal,
          })
    const body = await this.#transport.readText(response, MAX_TOKEN_BYTES)
    if (response.status !== 200)
      throw refused(host, realm, response.status, credentials !== undefined)
    const { token, refresh } = parseToken(body, host, realm)
    this.#identityToken = refresh ?? this.#identityToken
    return token
  }

  #offlineQuery(): Record<string, string> {
    if (this.#offlineAs === undefined) return {}
    return { offline_token: 'true', client_id: 'tsrun', account: this.#offlineAs }
  }
}

function parseToken(
  body: string,
  host: string,
  realm: URL,
): { readonly token: CachedToken; readonly refresh: string | undefined } {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    // The parser's own words quote the answer, which may hold a token.
    throw new TsrunError(
      'unavailable',
      `cannot log in to registry "${host}": ${realm.host} answered no JSON`,
    )
  }
  const field = (name: string): unknown =>
    typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
  const token = field('token') ?? field('access_token')
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) {
    throw new TsrunError(
      'unavailable',
      `cannot log in to registry "${host}": ${realm.host} answered without a token`,
    )
  }
  const lifetime = field('expires_in')
  const seconds =
    typeof lifetime === 'number' && lifetime > MIN_LIFETIME_SECONDS
      ? lifetime
      : MIN_LIFETIME_SECONDS
  // A tenth early: the registry's clock is not ours.
  const expires = Date.now() + seconds * 900
  const refresh = field('refresh_token')
  return {
    token: { header: `Bearer ${token}`, expires },
    refresh: typeof refresh === 'string' && refresh !== '' ? refresh : undefined,
  }
}

// A password that came here for TLS does not leave without it.
function realmUrl(realm: string | undefined, { host, protocol }: URL): URL {
  const url = realm !== undefined && URL.canParse(realm) ? new URL(realm) : undefined
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && protocol === 'http:')) return url
  if (url?.protocol === 'http:')
    throw new TsrunError(
      'unavailable',
      `cannot log in to registry "${host}": its token service ${url.host} is plain HTTP`,
      { hint: 'the registry uses TLS and its token service does not: tell who runs it' },
    )
  throw new TsrunError(
    'unavailable',
    `cannot log in to registry "${host}": its challenge names no token service`,
  )
}

/**
 * The scopes that are wanted and those that a challenge names, each resource once with all its actions: a
 * registry that is asked for a manifest before a push names no more than `pull`.
 */
export function joinScopes(own: string, challenged: string | undefined): string {
  const actions = new Map<string, Set<string>>()
  for (const scope of `${challenged ?? ''} ${own}`.split(' ')) {
    const colon = scope.lastIndexOf(':')
    if (colon === -1) continue
    const known = actions.get(scope.slice(0, colon)) ?? new Set()
    for (const action of scope.slice(colon + 1).split(',')) known.add(action)
    actions.set(scope.slice(0, colon), known)
  }
  return [...actions].map(([resource, all]) => `${resource}:${[...all].join(',')}`).join(' ')
}

// One parameter a scope (distribution "Token Authentication Specification").
function withQuery(realm: URL, parameters: Readonly<Record<string, string | undefined>>): URL {
  const url = new URL(realm)
  for (const [key, value] of Object.entries(parameters))
    for (const one of (value ?? '').split(key === 'scope' ? ' ' : /$^/))
      if (one !== '') url.searchParams.append(key, one)
  return url
}

function form(parameters: Readonly<Record<string, string | undefined>>): string {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(parameters))
    if (value !== undefined) search.set(key, value)
  return search.toString()
}

function basicHeader(credentials: Extract<Credentials, { kind: 'password' }>): string {
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`
}

function refused(host: string, realm: URL, status: number, hadCredentials: boolean): TsrunError {
  const kind = status >= 500 || status === 429 ? 'unavailable' : 'permission-denied'
  return new TsrunError(
    kind,
    `cannot log in to registry "${host}": ${realm.host} answered ${status}`,
    {
      ...(kind === 'unavailable'
        ? { hint: 'try again later' }
        : {
            hint: hadCredentials ? 'check the credentials: tsrun login' : 'log in: tsrun login',
          }),
    },
  )
}
