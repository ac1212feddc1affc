/** From an image reference to the registry that is asked for it. */
import { type ImageReference, registryHost } from '../oci/reference.ts'

/** Where a repository is reached. */
export interface RegistryEndpoint {
  /** Host with its port when it has one: what messages name, and the key for credentials. */
  readonly host: string
  /** The domain of the reference: `docker.io` for Docker Hub. */
  readonly domain: string
  readonly repository: string
  /** Schemes to try, in order. */
  readonly schemes: readonly ('https' | 'http')[]
  /** Whether certificates are checked. */
  readonly verifyTls: boolean
}

export interface EndpointOptions {
  /** `false`: accept any certificate, and plain HTTP when the registry speaks no TLS (`--tls-verify=false`). */
  readonly verifyTls?: boolean
}

/** Plain HTTP by default for registries on this machine only, as docker has it. */
export function resolveEndpoint(
  reference: ImageReference,
  options: EndpointOptions = {},
): RegistryEndpoint {
  return { ...registryEndpoint(reference.domain, options), repository: reference.path }
}

/** The endpoint of a registry itself, without a repository. */
export function registryEndpoint(domain: string, options: EndpointOptions = {}): RegistryEndpoint {
  const host = registryHost({ domain })
  const verifyTls = options.verifyTls !== false
  const base = { host, domain, repository: '', verifyTls }
  if (isLoopback(host)) return { ...base, schemes: ['http', 'https'] }
  return { ...base, schemes: verifyTls ? ['https'] : ['https', 'http'] }
}

/** The part of a manifest URL that names it: digest before tag, because it says more. */
export function manifestName(reference: ImageReference): string {
  return reference.digest ?? reference.tag ?? 'latest'
}

function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, '')
  return name === 'localhost' || name === '[::1]' || /^127(\.\d{1,3}){3}$/.test(name)
}
