/**
 * Reads containers-policy.json(5) and says what a name must meet before its image is used. Understood are
 * insecureAcceptAnything, reject, and sigstoreSigned with public keys; anything else is refused by its name, never passed over.
 */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { TsrunError } from '../errors.ts'
import { type ImageReference, repositoryName } from '../oci/reference.ts'
import { readTextIfThere } from '../util/if-there.ts'

export type Requirement =
  | { readonly type: 'insecureAcceptAnything' | 'reject' }
  | {
      readonly type: 'sigstoreSigned'
      /** One of them must have signed. */
      readonly keys: readonly KeyObject[]
      readonly identity: SignedIdentity
    }

/** Which name a signature must be made for. */
export interface SignedIdentity {
  readonly type: 'matchExact' | 'matchRepoDigestOrExact' | 'matchRepository'
}

export interface SignaturePolicy {
  readonly file: string
  readonly fallback: readonly unknown[]
  /** Of transport `docker`, by scope. */
  readonly scopes: ReadonlyMap<string, readonly unknown[]>
}

const IDENTITIES = ['matchExact', 'matchRepoDigestOrExact', 'matchRepository'] as const

/** The policy of the user or of the machine; undefined when there is none, which accepts everything. */
export function readSignaturePolicy(etc = '/etc'): SignaturePolicy | undefined {
  const files = [
    ...(etc === '/etc' ? [join(homedir(), '.config/containers/policy.json')] : []),
    join(etc, 'containers/policy.json'),
  ]
  for (const file of files) {
    const text = readTextIfThere(file)
    if (text !== undefined) return parseSignaturePolicy(text, file)
  }
  return undefined
}

/** The policy in `text`; throws `invalid-argument` naming what is wrong. */
export function parseSignaturePolicy(text: string, file: string): SignaturePolicy {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw refused(file, 'it is not JSON', cause)
  }
  const fallback = isObject(value) ? value.default : undefined
  if (!isObject(value) || !Array.isArray(fallback) || fallback.length === 0)
    throw refused(file, 'its default is not a list of requirements')
  const transports = value.transports ?? {}
  const docker = isObject(transports) ? (transports.docker ?? {}) : undefined
  if (!isObject(docker)) throw refused(file, 'its transports are not objects')
  const scopes = new Map<string, readonly unknown[]>()
  for (const [scope, requirements] of Object.entries(docker)) {
    if (!Array.isArray(requirements) || requirements.length === 0)
      throw refused(file, `${JSON.stringify(scope)} has no requirements`)
    scopes.set(scope, requirements)
  }
  return { file, fallback, scopes }
}

/** What the image must meet, all of it: of the scope that says most about its name. */
export function requirementsFor(
  policy: SignaturePolicy,
  reference: ImageReference,
): readonly Requirement[] {
  const scope = scopesOf(reference).find((name) => policy.scopes.has(name))
  const raw = scope === undefined ? policy.fallback : (policy.scopes.get(scope) ?? [])
  return raw.map((requirement) => toRequirement(requirement, policy.file))
}

// From the whole name over its repository and registry to wildcards, and last the empty scope.
function scopesOf(reference: ImageReference): readonly string[] {
  const { domain, tag, digest } = reference
  const name = repositoryName(reference)
  const parts = name.split('/')
  const [host = '', ...ports] = domain.split(':')
  const labels = host.split('.')
  return [
    ...(digest === undefined ? [] : [`${name}@${digest}`]),
    ...(tag === undefined ? [] : [`${name}:${tag}`]),
    ...parts.map((_, i) => parts.slice(0, parts.length - i).join('/')),
    ...labels.slice(1).map((_, i) => [`*.${labels.slice(i + 1).join('.')}`, ...ports].join(':')),
    '',
  ]
}

function toRequirement(value: unknown, file: string): Requirement {
  const type = isObject(value) ? value.type : undefined
  if (type === 'insecureAcceptAnything' || type === 'reject') return { type }
  if (type !== 'sigstoreSigned' || !isObject(value))
    throw notSupported(file, `the requirement ${JSON.stringify(type)}`)
  const known = ['type', 'keyPath', 'keyPaths', 'keyData', 'keyDatas', 'signedIdentity']
  const unknown = Object.keys(value).find((key) => !known.includes(key))
  if (unknown !== undefined) throw notSupported(file, `sigstoreSigned with ${unknown}`)
  const keys = [
    ...strings(value.keyPaths ?? value.keyPath, file).map((path) =>
      keyFrom(readKey(path, file), file),
    ),
    ...strings(value.keyDatas ?? value.keyData, file).map((data) =>
      keyFrom(Buffer.from(data, 'base64').toString('latin1'), file),
    ),
  ]
  if (keys.length === 0) throw refused(file, 'a sigstoreSigned has no key')
  return { type, keys, identity: identityOf(value.signedIdentity, file) }
}

function identityOf(value: unknown, file: string): SignedIdentity {
  // The default of sigstoreSigned.
  if (value === undefined) return { type: 'matchRepoDigestOrExact' }
  const type = isObject(value) ? value.type : undefined
  const known = IDENTITIES.find((name) => name === type)
  if (known === undefined) throw notSupported(file, `the signedIdentity ${JSON.stringify(type)}`)
  return { type: known }
}

function strings(value: unknown, file: string): readonly string[] {
  if (value === undefined) return []
  const list: unknown[] = Array.isArray(value) ? value : [value]
  if (list.every((item) => typeof item === 'string')) return list
  throw refused(file, 'a key is not a string')
}

function readKey(path: string, file: string): string {
  const text = readTextIfThere(path)
  if (text === undefined) throw refused(file, `its key ${path} is not there`)
  return text
}

function keyFrom(pem: string, file: string): KeyObject {
  try {
    return createPublicKey(pem)
  } catch (cause) {
    throw refused(file, 'a key is no public key in PEM', cause)
  }
}

function refused(file: string, problem: string, cause?: unknown): TsrunError {
  return new TsrunError('invalid-argument', `cannot use the policy "${file}": ${problem}`, {
    ...(cause === undefined ? {} : { cause }),
  })
}

function notSupported(file: string, what: string): TsrunError {
  return new TsrunError(
    'not-implemented',
    `cannot use the policy "${file}": ${what} is not supported`,
    {
      hint: 'supported are insecureAcceptAnything, reject, and sigstoreSigned with keyPath or keyData',
    },
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
