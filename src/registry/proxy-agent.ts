/** HTTPS through an HTTP proxy by CONNECT (RFC 9110 9.3.6), chosen as curl does: HTTPS_PROXY and NO_PROXY. */
import { request as httpRequest } from 'node:http'
import { Agent, type AgentOptions } from 'node:https'
import type { Duplex } from 'node:stream'
import { type ConnectionOptions, connect as tlsConnect } from 'node:tls'
import { TsrunError } from '../errors.ts'

/** An agent for `url`: through the proxy that `env` names for it, or direct. */
export function proxyAgentFor(url: URL, env: NodeJS.ProcessEnv, options: AgentOptions): Agent {
  const proxy = proxyFor(url, env)
  return proxy === undefined ? new Agent(options) : new TunnelAgent(proxy, options)
}

/** The proxy for an https URL; undefined for none. Only http proxies are known. */
export function proxyFor(url: URL, env: NodeJS.ProcessEnv): URL | undefined {
  const text = env.https_proxy ?? env.HTTPS_PROXY
  if (
    text === undefined ||
    text === '' ||
    isExcluded(url.hostname, env.no_proxy ?? env.NO_PROXY ?? '')
  )
    return undefined
  const proxy = URL.canParse(text) ? new URL(text) : undefined
  if (proxy?.protocol === 'http:') return proxy
  throw new TsrunError(
    'not-implemented',
    `cannot use the proxy "${text}": only http:// proxies are supported`,
  )
}

function isExcluded(host: string, noProxy: string): boolean {
  const entries = noProxy.split(',').map((entry) =>
    entry
      .trim()
      .replace(/^\*?\./, '')
      .replace(/:\d+$/, ''),
  )
  return entries.some(
    (entry) => entry === '*' || (entry !== '' && (host === entry || host.endsWith(`.${entry}`))),
  )
}

class TunnelAgent extends Agent {
  readonly #proxy: URL

  constructor(proxy: URL, options: AgentOptions) {
    super(options)
    this.#proxy = proxy
  }

  override createConnection(
    options: { host?: string; port?: number | string; servername?: string },
    callback: (error: Error | null, socket?: Duplex) => void,
  ): undefined {
    const authority = `${options.host}:${options.port ?? 443}`
    const request = httpRequest({
      host: this.#proxy.hostname,
      port: this.#proxy.port || 80,
      method: 'CONNECT',
      path: authority,
      headers: { host: authority, ...proxyAuthorization(this.#proxy) },
    })
    request.once('connect', ({ statusCode }, socket) => {
      if (statusCode === 200)
        callback(null, tlsConnect({ ...options, socket } as ConnectionOptions))
      else {
        socket.destroy()
        callback(
          new Error(`proxy ${this.#proxy.host} answered ${statusCode} to CONNECT ${authority}`),
        )
      }
    })
    request.once('error', (error) => callback(error))
    request.end()
    return undefined
  }
}

function proxyAuthorization(proxy: URL): Record<string, string> {
  if (proxy.username === '') return {}
  const user = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`
  return { 'proxy-authorization': `Basic ${Buffer.from(user).toString('base64')}` }
}
