/** Downloads one file of any web server: redirects followed, the content checked against a digest. */
import type { Response } from 'node-fetch'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { HttpTransport, StallError } from './http-transport.ts'

export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined
  readonly env?: NodeJS.ProcessEnv
  readonly stallMs?: number
  /** Takes the content, piece by piece. */
  readonly write: (chunk: Buffer) => void
}

export interface Downloaded {
  /** When the content was changed last, as the server says; undefined when it says nothing that can be read. */
  readonly lastModified: Date | undefined
}

const MAX_REDIRECTS = 10

/** A web address without what could be a password, for messages. */
export function shownAddress(url: URL): string {
  const shown = new URL(url)
  shown.username = ''
  shown.password = ''
  return shown.href
}

/** Fetches `url` (http or https) to the end. Throws naming the address without its password. */
export async function download(url: URL, options: DownloadOptions): Promise<Downloaded> {
  const { env, stallMs, signal } = options
  using transport = new HttpTransport({
    verifyTls: true,
    ...(env === undefined ? {} : { env }),
    ...(stallMs === undefined ? {} : { stallMs }),
  })
  try {
    const response = await follow(transport, url, signal)
    for await (const chunk of transport.chunks(response, signal)) options.write(chunk)
    return { lastModified: dateOf(response.headers.get('last-modified')) }
  } catch (cause) {
    signal?.throwIfAborted()
    if (cause instanceof TsrunError) throw cause
    const detail = cause instanceof Error ? cause.message : String(cause)
    const errno = errnoCodeOf(cause)
    throw failed(url, cause instanceof StallError ? detail : connectionDetail(detail, errno), {
      cause: undefined,
      ...(errno === undefined ? {} : { errno }),
      hint: 'check the address and the network, or HTTPS_PROXY and NO_PROXY',
    })
  }
}

async function follow(
  transport: HttpTransport,
  start: URL,
  signal: AbortSignal | undefined,
): Promise<Response> {
  let url = start
  for (let count = 0; count <= MAX_REDIRECTS; count++) {
    const response = await transport.request(bare(url), { headers: authorization(url), signal })
    if (response.status === 200) return response
    transport.drop(response)
    const location = response.headers.get('location')
    if (response.status < 300 || response.status > 399 || location === null)
      throw failed(start, `${url.host} answers with status ${response.status}`, {
        hint: 'check the address',
      })
    url = redirected(start, url, location)
  }
  throw failed(start, `it is redirected more than ${MAX_REDIRECTS} times`)
}

// A password is for the host that it was given for.
function redirected(start: URL, from: URL, location: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined
  if (to?.protocol === 'https:' || (to?.protocol === 'http:' && from.protocol === 'http:')) {
    if (to.host === from.host && to.username === '') {
      to.username = from.username
      to.password = from.password
    }
    return to
  }
  throw failed(start, `it is redirected to ${JSON.stringify(location.slice(0, 200))}`, {
    hint: 'a download stays on http or https, and what begins with https stays so',
  })
}

function bare(url: URL): URL {
  return new URL(shownAddress(url))
}

function authorization({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {}
  const pair = [username, password].map(decoded).join(':')
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // A percent sign that means nothing stands for itself.
    return text
  }
}

function dateOf(text: string | null): Date | undefined {
  const time = Date.parse(text ?? '')
  return Number.isNaN(time) ? undefined : new Date(time)
}

// node-fetch has the address in its messages, and says the reason last.
function connectionDetail(message: string, errno: string | undefined): string {
  return errno ?? message.split('reason: ').at(-1) ?? message
}

function failed(
  url: URL,
  detail: string,
  options: ConstructorParameters<typeof TsrunError>[2] = {},
): TsrunError {
  return new TsrunError('unavailable', `cannot download "${shownAddress(url)}": ${detail}`, options)
}
