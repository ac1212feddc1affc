/** Logs in to registries and out of them. */
import { TsrunError } from '../errors.ts'
import { parseReference } from '../oci/reference.ts'
import type { KeptCredentials } from '../registry/credential-file.ts'

export interface LoginRequest {
  /** `docker.io` when undefined. */
  readonly registry: string | undefined
  readonly username: string
  readonly password: string
  readonly verifyTls?: boolean
  readonly signal?: AbortSignal | undefined
}

/** The registry's domain as a user writes it: `quay.io`, `https://quay.io/`, nothing for Docker Hub. */
export function registryDomain(text: string | undefined): string {
  const bare = (text ?? 'docker.io').replace(/^https?:\/\//, '').replace(/\/(v[12]\/?)?$/, '')
  if (bare === 'index.docker.io' || bare === 'registry-1.docker.io') return 'docker.io'
  // A reference knows what a registry's name looks like.
  const { domain } = parseReference(`${bare}/name`)
  if (domain === bare) return domain
  throw new TsrunError(
    'invalid-argument',
    `cannot log in to ${JSON.stringify(text)}: it is no registry`,
    { hint: 'give the host, with a port when it has one, without a repository' },
  )
}

/** Tries the credentials at the registry and keeps them where docker does. */
export async function login(request: LoginRequest): Promise<KeptCredentials> {
  const { checkLogin } = await import('../registry/login.ts')
  const { storeCredentials } = await import('../registry/credential-file.ts')
  const { username, password, registry, ...options } = request
  const domain = registryDomain(registry)
  const checked = await checkLogin(domain, { kind: 'password', username, password }, options)
  return await storeCredentials(domain, checked)
}

/** Forgets the credentials of a registry; false when there were none. */
export async function logout(registry: string | undefined): Promise<boolean> {
  const { eraseCredentials } = await import('../registry/credential-file.ts')
  return await eraseCredentials(registryDomain(registry))
}

/** Forgets all credentials in docker's file, and tells of which registries. */
export async function logoutOfAll(): Promise<readonly string[]> {
  const { eraseCredentials, keptHosts } = await import('../registry/credential-file.ts')
  const hosts = keptHosts()
  for (const host of hosts) await eraseCredentials(host)
  return hosts
}
