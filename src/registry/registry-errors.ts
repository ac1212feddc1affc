/** One sentence for each way in which a registry can fail, naming the registry and the remedy. */
import { type ErrorKind, errnoCodeOf, TsrunError } from '../errors.ts'
import type { RegistryEndpoint } from './resolve-reference.ts'

/** What is done with a registry: the verb of a message, and the hint that fits. */
export type RegistryAction = 'get' | 'push'

/** `cannot get manifest "app:latest" from registry "host"`. */
export function failed(action: RegistryAction, what: string, host: string): string {
  return `cannot ${action} ${what} ${action === 'push' ? 'to' : 'from'} registry "${host}"`
}

export interface FailedAnswer {
  readonly endpoint: RegistryEndpoint
  readonly action: RegistryAction
  readonly what: string
  readonly status: number
  readonly body: string
  /** Milliseconds, when the registry says how long to wait. */
  readonly retryAfter: number | undefined
}

/** The error for an answer that is final. */
export function statusError(answer: FailedAnswer): TsrunError {
  const { endpoint, action, what, status, body, retryAfter } = answer
  const { kind, detail, hint } = explain(status, retryAfter, action)
  const words = registryWords(body)
  return new TsrunError(
    kind,
    `${failed(action, what, endpoint.host)}: ${detail} (HTTP ${status}${words === '' ? '' : `, ${words}`})`,
    { hint },
  )
}

interface Explanation {
  readonly kind: ErrorKind
  readonly detail: string
  readonly hint: string
}

function explain(
  status: number,
  retryAfter: number | undefined,
  action: RegistryAction,
): Explanation {
  switch (status) {
    case 401:
      return {
        kind: 'permission-denied',
        detail: 'it asks for a login',
        hint: 'log in (tsrun login), or check the name: registries say this of private and of missing repositories',
      }
    case 403:
      return {
        kind: 'permission-denied',
        detail: 'access is denied',
        hint: `check that this account may ${action === 'push' ? 'push to' : 'pull from'} the repository`,
      }
    case 404:
      if (action === 'push')
        return {
          kind: 'not-found',
          detail: 'it does not take it',
          hint: 'check the name of the repository: some registries want it to be made first',
        }
      return {
        kind: 'not-found',
        detail: 'it has no such image',
        hint: 'check the name and the tag',
      }
    case 429: {
      const wait = retryAfter === undefined ? 'later' : `in ${Math.ceil(retryAfter / 1000)} seconds`
      return {
        kind: 'unavailable',
        detail: 'too many requests',
        hint: `try again ${wait}, or log in for a higher limit`,
      }
    }
  }
  if (status >= 500)
    return { kind: 'unavailable', detail: 'the registry has a fault', hint: 'try again later' }
  return { kind: 'unavailable', detail: 'it refused', hint: 'check the name of the registry' }
}

/** The first error of a distribution-spec error body, as `MANIFEST_UNKNOWN: manifest unknown`; empty for other bodies. */
function registryWords(body: string): string {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    // A web page or nothing: the status says enough.
    return ''
  }
  const errors: unknown =
    typeof value === 'object' && value !== null ? Reflect.get(value, 'errors') : undefined
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined
  if (typeof first !== 'object' || first === null) return ''
  const words = [Reflect.get(first, 'code'), Reflect.get(first, 'message')].filter(
    (part) => typeof part === 'string',
  )
  // Control characters of a stranger's text must not reach a terminal.
  return words
    .join(': ')
    .replace(/\p{Cc}/gu, ' ')
    .slice(0, 200)
}

const TRANSIENT: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ECONNABORTED',
  'EAI_AGAIN',
  'ENETDOWN',
  'ERR_STREAM_PREMATURE_CLOSE',
])

/** Whether a failure to talk may pass by itself. */
export function isTransient(cause: unknown): boolean {
  const text = cause instanceof Error ? cause.message : ''
  return TRANSIENT.has(codeOf(cause)) || /socket hang up|premature close/i.test(text)
}

/** The error for a registry that could not be talked to. */
export function connectionError(
  host: string,
  what: string,
  cause: unknown,
  action: RegistryAction = 'get',
): TsrunError {
  const code = codeOf(cause)
  const { detail, hint } = explainConnection(code, cause)
  const errno = errnoCodeOf(cause)
  return new TsrunError('unavailable', `${failed(action, what, host)}: ${detail}`, {
    hint,
    ...(errno === undefined ? {} : { errno }),
  })
}

function explainConnection(code: string, cause: unknown): { detail: string; hint: string } {
  const text = cause instanceof Error ? cause.message : String(cause)
  if (code === 'ECONNREFUSED')
    return {
      detail: 'nothing listens there (ECONNREFUSED)',
      hint: 'check that the registry runs and its port',
    }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return {
      detail: `its name does not resolve (${code})`,
      hint: 'check the name and the DNS settings',
    }
  if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH')
    return { detail: `it cannot be reached (${code})`, hint: 'check the network' }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return {
      detail: `its certificate is for another name (${code})`,
      hint: 'check the name of the registry, or use --tls-verify=false',
    }
  if (/CERT|SELF_SIGNED|UNABLE_TO_/.test(code)) {
    return {
      detail: `its certificate is not trusted (${code})`,
      hint: 'add its authority by TSRUN_EXTRA_CA_CERTS=file, or use --tls-verify=false',
    }
  }
  if (code === 'EPROTO')
    return {
      detail: 'it speaks no TLS (EPROTO)',
      hint: 'use --tls-verify=false for a registry with plain HTTP',
    }
  return { detail: `the connection failed: ${text}`, hint: 'try again' }
}

// node-fetch puts the code of the socket on its own error.
function codeOf(cause: unknown): string {
  if (typeof cause !== 'object' || cause === null) return ''
  const code: unknown = Reflect.get(cause, 'code') ?? Reflect.get(cause, 'errno')
  return typeof code === 'string' ? code : ''
}
