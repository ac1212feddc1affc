/** From an image reference to the registries that are asked for it. */
import { type ImageReference, registryHost } from '../oci/reference.ts'
import { isLoopbackHost } from './loopback.ts'

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
  /** What stands before the repository in addresses; default `/v2`. */
  readonly basePath?: string
  /** Headers of every request, from a hosts.toml. */
  readonly headers?: Readonly<Record<string, string>>
  /** Certificates for this host alone. */
  readonly certificates?: EndpointCertificates
  /** Asked for a registry elsewhere: what this one lacks is no last word. */
  readonly isMirror?: true
}

export interface EndpointCertificates {
  /** PEM of authorities, besides the system's. */
  readonly authorities: readonly string[]
  /** PEM of the certificate and the key that the client shows. */
  readonly client?: { readonly certificate: string; readonly key: string }
}

export interface EndpointOptions {
  /** `false`: accept any certificate, and plain HTTP when the registry speaks no TLS (`--tls-verify=false`). */
  readonly verifyTls?: boolean
}

/** The endpoint of a registry itself. Plain HTTP by default for registries on this machine only, as docker has it. */
export function registryEndpoint(domain: string, options: EndpointOptions = {}): RegistryEndpoint {
  return hostEndpoint(registryHost({ domain }), { domain, ...options })
}

/** An endpoint at `host`, without a repository. */
export function hostEndpoint(
  host: string,
  { domain, verifyTls = true }: EndpointOptions & { readonly domain: string },
): RegistryEndpoint {
  const base = { host, domain, repository: '', verifyTls }
  if (isLoopbackHost(host)) return { ...base, schemes: ['http', 'https'] }
  return { ...base, schemes: verifyTls ? ['https'] : ['https', 'http'] }
}

/** The part of a manifest URL that names it: digest before tag, because it says more. */
export function manifestName(reference: ImageReference): string {
  return reference.digest ?? reference.tag ?? 'latest'
}

/** `/v2/library/busybox`: where the repository's manifests and blobs are. */
export function repositoryPath({ basePath = '/v2', repository }: RegistryEndpoint): string {
  return repository === '' ? basePath : `${basePath}/${repository}`
}
