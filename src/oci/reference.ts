/** Image names as people type them, with Docker's defaults: `busybox` is docker.io/library/busybox:latest. */
import { TsrunError } from '../errors.ts'
import { digestProblem } from './digest.ts'

export interface ImageReference {
  /** Registry host with its port when it has one: `docker.io`, `localhost:5000`, `[::1]:5000`. */
  readonly domain: string
  /** Repository inside the registry: `library/busybox`. */
  readonly path: string
  readonly tag?: string
  readonly digest?: string
}

const DEFAULT_DOMAIN = 'docker.io'
const LEGACY_DEFAULT_DOMAIN = 'index.docker.io'
const OFFICIAL_PREFIX = 'library/'
const DEFAULT_TAG = 'latest'
/** distribution-spec: a repository name of domain and path is at most 255 characters. */
const MAX_NAME_LENGTH = 255

const DOMAIN_LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?'
const DOMAIN = new RegExp(
  `^(?:${DOMAIN_LABEL}(?:\\.${DOMAIN_LABEL})*|\\[[a-fA-F0-9:]+\\])(?::\\d{1,5})?$`,
)
const PATH_COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/

/**
 * The reference in `text`, with `docker.io`, `library/` and (when neither tag nor digest is given)
 * `:latest` filled in; throws `invalid-argument` with the reason.
 */
export function parseReference(text: string): ImageReference {
  const { name, tag, digest } = splitReference(text)
  const { domain, path } = splitDomain(name)
  const problem =
    nameProblem(domain, path) ??
    tagProblem(tag) ??
    (digest === undefined ? undefined : digestProblem(digest))
  if (problem !== undefined) refuse(text, problem)
  if (text.length === 64 && /^[0-9a-f]+$/.test(text)) refuse(text, 'it is an image id, not a name')
  return {
    domain,
    path,
    ...(tag === undefined ? (digest === undefined ? { tag: DEFAULT_TAG } : {}) : { tag }),
    ...(digest === undefined ? {} : { digest }),
  }
}

/** The whole name: `docker.io/library/busybox:latest`, with `@sha256:…` when it has a digest. */
export function formatReference(reference: ImageReference): string {
  return `${repositoryName(reference)}${suffix(reference)}`
}

/** The name without the defaults, as `docker images` shows it: `busybox:latest`. */
export function familiarReference(reference: ImageReference): string {
  return `${familiarRepository(reference)}${suffix(reference)}`
}

/** Domain and path: `docker.io/library/busybox`. */
export function repositoryName(reference: ImageReference): string {
  return `${reference.domain}/${reference.path}`
}

/** Domain and path without the defaults: `busybox`, `localhost:5000/app`. */
export function familiarRepository(reference: ImageReference): string {
  if (reference.domain !== DEFAULT_DOMAIN) return repositoryName(reference)
  const short = reference.path.startsWith(OFFICIAL_PREFIX)
    ? reference.path.slice(OFFICIAL_PREFIX.length)
    : reference.path
  return short.includes('/') ? reference.path : short
}

/** The host to connect to: Docker Hub's registry does not answer at docker.io. */
export function registryHost(reference: Pick<ImageReference, 'domain'>): string {
  return reference.domain === DEFAULT_DOMAIN ? 'registry-1.docker.io' : reference.domain
}

/** Why `tag` cannot be a tag; undefined when it can. */
export function tagProblem(tag: string | undefined): string | undefined {
  if (tag === undefined || TAG.test(tag)) return undefined
  if (tag === '') return 'its tag is empty'
  if (tag.length > 128) return 'its tag is longer than 128 characters'
  return `its tag ${JSON.stringify(tag)} may only have letters, digits, "_", "." and "-"`
}

function splitReference(text: string): { name: string; tag?: string; digest?: string } {
  const at = text.indexOf('@')
  const digest = at === -1 ? {} : { digest: text.slice(at + 1) }
  const rest = at === -1 ? text : text.slice(0, at)
  // A colon before the last slash belongs to the registry's port.
  const colon = rest.lastIndexOf(':')
  if (colon <= rest.lastIndexOf('/')) return { name: rest, ...digest }
  return { name: rest.slice(0, colon), tag: rest.slice(colon + 1), ...digest }
}

function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf('/')
  const first = name.slice(0, Math.max(slash, 0))
  // Docker's rule: the first component is a registry when it cannot be a path component or is localhost.
  const isDomain = slash !== -1 && (/[.:A-Z]/.test(first) || first === 'localhost')
  const domain = isDomain && first !== LEGACY_DEFAULT_DOMAIN ? first : DEFAULT_DOMAIN
  const path = isDomain ? name.slice(slash + 1) : name
  return {
    domain,
    path: domain === DEFAULT_DOMAIN && !path.includes('/') ? `${OFFICIAL_PREFIX}${path}` : path,
  }
}

function nameProblem(domain: string, path: string): string | undefined {
  if (path === '' || path === OFFICIAL_PREFIX) return 'it has no repository name'
  if (!DOMAIN.test(domain)) return `${JSON.stringify(domain)} is not a registry host`
  const port = /:(\d+)$/.exec(domain)?.[1]
  if (port !== undefined && Number(port) > 65535) return `port ${port} is above 65535`
  if (`${domain}/${path}`.length > MAX_NAME_LENGTH)
    return `it is longer than ${MAX_NAME_LENGTH} characters`
  const component = path.split('/').find((part) => !PATH_COMPONENT.test(part))
  if (component === undefined) return undefined
  if (component === '') return 'it has an empty path component'
  if (/[A-Z]/.test(component))
    return `the repository name must be in lower case: ${JSON.stringify(component)}`
  return `${JSON.stringify(component)} may only have lower-case letters and digits, separated by ".", "_", "__" or "-"`
}

function suffix({ tag, digest }: ImageReference): string {
  return `${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`
}

function refuse(text: string, problem: string): never {
  throw new TsrunError(
    'invalid-argument',
    `cannot use image name ${JSON.stringify(text)}: ${problem}`,
  )
}
