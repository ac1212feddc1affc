/**
 * Requests through an HTTP proxy, chosen as curl does by HTTPS_PROXY, HTTP_PROXY and NO_PROXY: HTTPS by CONNECT
 * (RFC 9110 9.3.6), plain HTTP by absolute addresses (RFC 9112 3.2.2).
 */
import {
  type ClientRequest,
  Agent as HttpAgent,
  type AgentOptions as HttpAgentOptions,
  request as httpRequest,
} from 'node:http'
import { Agent, type AgentOptions } from 'node:https'
import { BlockList, isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { type ConnectionOptions, connect as tlsConnect } from 'node:tls'
import { TsrunError } from '../errors.ts'

/** An agent that connects through `proxy`, or directly when it is undefined. */
export function agentThrough(proxy: URL | undefined, options: AgentOptions): Agent {
  return proxy === undefined ? new Agent(options) : new TunnelAgent(proxy, options)
}

/** As {@link agentThrough}, for plain HTTP. */
export function plainAgentThrough(proxy: URL | undefined, options: HttpAgentOptions): HttpAgent {
  return proxy === undefined ? new HttpAgent(options) : new ForwardAgent(proxy, options)
}

/** The proxy for a URL; undefined for none. Only http proxies are known. */
export function proxyFor(url: URL, env: NodeJS.ProcessEnv): URL | undefined {
  // In upper case HTTP_PROXY may be a header of a request to a CGI program (CVE-2016-5385), as curl has it.
  const isCgi = env.REQUEST_METHOD !== undefined
  const text =
    url.protocol === 'https:'
      ? (env.https_proxy ?? env.HTTPS_PROXY)
      : (env.http_proxy ?? (isCgi ? undefined : env.HTTP_PROXY))
  if (text === undefined || text === '') return undefined
  if (isLoopback(url.hostname) || isExcluded(url, env.no_proxy ?? env.NO_PROXY ?? ''))
    return undefined
  const proxy = URL.canParse(text) ? new URL(text) : undefined
  if (proxy?.protocol === 'http:') return proxy
  // Without what stands before the host: it may be a password.
  const shown = proxy === undefined || proxy.host === '' ? text : `${proxy.protocol}//${proxy.host}`
  throw new TsrunError(
    'not-implemented',
    `cannot use the proxy "${shown}": only http:// proxies are supported`,
    {
      hint: `set ${url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY'} to an http:// proxy, or NO_PROXY to the name of the registry`,
    },
  )
}

// As in Go's programs, docker and podman among them: a proxy elsewhere has another localhost.
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)
}

function isExcluded(url: URL, noProxy: string): boolean {
  return noProxy.split(',').some((entry) => excludes(entry.trim(), url))
}

// `*`, a domain with all below it, an address, a network as 10.0.0.0/8; each of the names with a port.
function excludes(entry: string, { hostname, port, protocol }: URL): boolean {
  if (entry === '*') return true
  const host = hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0 && entry.includes('/')) return isInNetwork(host, entry)
  const [, name = '', onlyPort] = /^(?:\*?\.)?(.*?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? []
  if (isIP(entry) !== 0) return host === entry
  if (
    name === '' ||
    (onlyPort !== undefined && onlyPort !== (port || (protocol === 'http:' ? '80' : '443')))
  )
    return false
  return host === name || host.endsWith(`.${name}`)
}

function isInNetwork(address: string, network: string): boolean {
  const [base = '', bits = ''] = network.split('/')
  const family = isIP(base)
  const length = Number(bits)
  if (family === 0 || !/^\d{1,3}$/.test(bits) || length > (family === 4 ? 32 : 128)) return false
  const list = new BlockList()
  list.addSubnet(base, length, family === 4 ? 'ipv4' : 'ipv6')
  return list.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6')
}

const CONNECT_MS = 60_000

interface RequestOptions {
  readonly host?: string
  readonly port?: number | string
}

/** What Node's agents have and its types do not: called once for each request, before its head is written. */
interface RequestTaker {
  addRequest(request: ClientRequest, options: RequestOptions): void
}

class ForwardAgent extends HttpAgent {
  readonly #proxy: URL

  constructor(proxy: URL, options: HttpAgentOptions) {
    super(options)
    this.#proxy = proxy
  }

  addRequest(request: ClientRequest, options: RequestOptions): void {
    const { hostname, port } = this.#proxy
    request.path = `http://${String(request.getHeader('host'))}${request.path}`
    for (const [name, value] of Object.entries(proxyAuthorization(this.#proxy)))
      request.setHeader(name, value)
    const parent = HttpAgent.prototype as unknown as RequestTaker
    parent.addRequest.call(this, request, { ...options, host: hostname, port: port || 80 })
  }
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
    const { host = '' } = options
    const authority = `${isIP(host) === 6 ? `[${host}]` : host}:${options.port ?? 443}`
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
    request.setTimeout(CONNECT_MS, () =>
      request.destroy(new Error(`proxy ${this.#proxy.host} does not answer`)),
    )
    request.end()
    return undefined
  }
}

function proxyAuthorization(proxy: URL): Record<string, string> {
  if (proxy.username === '') return {}
  const user = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`
  return { 'proxy-authorization': `Basic ${Buffer.from(user).toString('base64')}` }
}
