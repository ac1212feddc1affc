/** Tries credentials at a registry before they are kept. */
import { TsrunError } from '../errors.ts'
import type { Credentials } from './credentials.ts'
import { RegistryRequests, type RegistryRequestsOptions } from './registry-requests.ts'
import { type EndpointOptions, registryEndpoint } from './resolve-reference.ts'

export interface LoginOptions
  extends EndpointOptions,
    Pick<RegistryRequestsOptions, 'env' | 'retry' | 'stallMs'> {
  readonly signal?: AbortSignal | undefined
}

/**
 * Asks the registry `domain` (`docker.io` for Docker Hub) whether it takes `credentials`. Resolves to what is to be
 * kept: an identity token when its token service gives one, which is worth less to a thief than a password.
 */
export async function checkLogin(
  domain: string,
  credentials: Extract<Credentials, { kind: 'password' }>,
  options: LoginOptions = {},
): Promise<Credentials> {
  const { signal, verifyTls, ...transport } = options
  const endpoint = registryEndpoint(domain, verifyTls === undefined ? {} : { verifyTls })
  using requests = new RegistryRequests(endpoint, {
    ...transport,
    credentials: async () => credentials,
    scope: '',
    offlineAs: credentials.username,
  })
  try {
    const response = await requests.send({ path: '/v2/', what: 'an answer', signal })
    await requests.transport.finish(response)
  } catch (cause) {
    if (!(cause instanceof TsrunError) || cause.kind !== 'permission-denied') throw cause
    throw new TsrunError(
      'permission-denied',
      `cannot log in to registry "${endpoint.host}": it refuses this user name or password`,
      { cause, hint: 'check both; some registries want an access token instead of the password' },
    )
  }
  const token = requests.identityToken
  return token === undefined ? credentials : { kind: 'identity-token', token }
}
