/** Decides which registries are asked for an image, in which order and how: mirrors, locations, certificates. */
import { TsrunError } from '../errors.ts'
import {
  formatReference,
  type ImageReference,
  parseReference,
  registryHost,
  repositoryName,
} from '../oci/reference.ts'
import { readCertsD } from './certs-d.ts'
import { type ConfiguredHost, readHostsToml } from './hosts-toml.ts'
import {
  configuredRegistry,
  type RegistriesConf,
  readRegistriesConf,
  relocated,
} from './registries-conf.ts'
import { type EndpointOptions, hostEndpoint, type RegistryEndpoint } from './resolve-reference.ts'

export interface FindEndpointOptions extends EndpointOptions {
  /** Where docker, podman and containerd keep their files; default /etc. */
  readonly etc?: string
  readonly env?: NodeJS.ProcessEnv
}

/** Those to pull from, the registry of the name itself last. At least one. */
export async function endpointsToPull(
  reference: ImageReference,
  options: FindEndpointOptions = {},
): Promise<readonly RegistryEndpoint[]> {
  return await find(reference, options, 'pull')
}

/** The one to push to. */
export async function endpointToPush(
  reference: ImageReference,
  options: FindEndpointOptions = {},
): Promise<RegistryEndpoint> {
  const found = await find(reference, options, 'push')
  const last = found.at(-1)
  if (last !== undefined) return last
  throw new TsrunError(
    'failed-precondition',
    `cannot push to "${reference.domain}": its hosts.toml has no host that takes pushes`,
  )
}

/**
 * The references that a name may mean, in the order in which they are tried: a name without a registry is
 * looked for where registries.conf says, on Docker Hub when it says nothing.
 */
export async function candidateReferences(
  name: string,
  options: FindEndpointOptions = {},
): Promise<readonly ImageReference[]> {
  const reference = parseReference(name)
  if (hasDomain(name)) return [reference]
  const conf = await configOf(options)
  const bare = name.replace(/[:@].*$/, '')
  const alias = conf.aliases.get(bare)
  if (alias !== undefined && alias !== '')
    return [parseReference(`${alias}${name.slice(bare.length)}`)]
  if (conf.search === undefined || conf.search.length === 0) return [reference]
  return conf.search.map((domain) =>
    domain === 'docker.io' ? reference : parseReference(`${domain}/${name}`),
  )
}

// As the parser of references decides it: the first component has a dot or a colon, or is localhost.
function hasDomain(name: string): boolean {
  const slash = name.indexOf('/')
  return slash !== -1 && (/[.:A-Z]/.test(name.slice(0, slash)) || name.startsWith('localhost/'))
}

async function find(
  reference: ImageReference,
  options: FindEndpointOptions,
  what: 'pull' | 'push',
): Promise<readonly RegistryEndpoint[]> {
  const etc = options.etc ?? '/etc'
  const hosts = await readHostsToml(etc, reference.domain)
  if (hosts !== undefined) return fromHostsToml(reference, hosts, { ...options, etc }, what)
  const conf = await configOf(options)
  return fromRegistriesConf(reference, conf, { ...options, etc }, what)
}

function fromHostsToml(
  { domain, path }: ImageReference,
  hosts: readonly ConfiguredHost[],
  options: FindEndpointOptions & { readonly etc: string },
  what: 'pull' | 'push',
): readonly RegistryEndpoint[] {
  return hosts
    .filter(({ canPull, canPush }) => (what === 'pull' ? canPull : canPush))
    .map((host) => {
      const { url, overridePath, headers, skipVerify } = host
      const own = url.host === domain || url.host === registryHost({ domain })
      const prefix = url.pathname.replace(/\/+$/, '')
      const certificates = host.certificates ?? readCertsD(options.etc, url.host)
      return {
        host: url.host === 'docker.io' ? registryHost({ domain }) : url.host,
        domain,
        repository: path,
        schemes: [url.protocol === 'http:' ? 'http' : 'https'],
        verifyTls: options.verifyTls !== false && !skipVerify,
        basePath: overridePath || prefix.endsWith('/v2') ? prefix : `${prefix}/v2`,
        headers,
        ...(certificates === undefined ? {} : { certificates }),
        ...(own ? {} : { isMirror: true as const }),
      }
    })
}

function fromRegistriesConf(
  reference: ImageReference,
  conf: RegistriesConf,
  options: FindEndpointOptions & { readonly etc: string },
  what: 'pull' | 'push',
): readonly RegistryEndpoint[] {
  const name = repositoryName(reference)
  const registry = configuredRegistry(conf, name)
  if (registry === undefined) return [endpointAt(name, { insecure: false, options })]
  if (registry.blocked)
    throw new TsrunError(
      'permission-denied',
      `cannot ${what} "${formatReference(reference)}": registries.conf blocks ${registry.prefix}`,
    )
  const at = (location: string, insecure: boolean): RegistryEndpoint =>
    endpointAt(relocated(name, registry.prefix, location), { insecure, options })
  const isDigest = reference.digest !== undefined
  const mirrors = registry.mirrors.filter(({ pulls }) =>
    isDigest ? pulls !== 'tag-only' : pulls !== 'digest-only' && !registry.mirrorByDigestOnly,
  )
  return [
    ...(what === 'push' ? [] : mirrors).map(({ location, insecure }) => ({
      ...at(location, insecure),
      isMirror: true as const,
    })),
    at(registry.location, registry.insecure),
  ]
}

function endpointAt(
  name: string,
  {
    insecure,
    options,
  }: {
    readonly insecure: boolean
    readonly options: FindEndpointOptions & { readonly etc: string }
  },
): RegistryEndpoint {
  // The location is a name as people write it: docker.io means the host where its registry is.
  const slash = name.indexOf('/')
  const domain = name.slice(0, slash)
  const host = registryHost({ domain })
  const verifyTls = options.verifyTls !== false && !insecure
  const certificates = readCertsD(options.etc, host)
  return {
    ...hostEndpoint(host, { domain, verifyTls }),
    repository: name.slice(slash + 1),
    ...(certificates === undefined ? {} : { certificates }),
  }
}

async function configOf({ etc = '/etc', env = process.env }: FindEndpointOptions) {
  const own = env.CONTAINERS_REGISTRIES_CONF
  return await readRegistriesConf(etc, own === undefined || own === '' ? undefined : own)
}
