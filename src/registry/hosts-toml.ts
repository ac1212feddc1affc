/** Reads containerd's hosts.toml: the hosts that are asked for one registry, in order. */
import { join } from 'node:path'
import { readTextIfThere } from '../util/if-there.ts'
import { readToml, type TomlTable } from './read-toml.ts'
import type { EndpointCertificates } from './resolve-reference.ts'

export interface ConfiguredHost {
  readonly url: URL
  readonly canPull: boolean
  readonly canPush: boolean
  readonly skipVerify: boolean
  /** Without `/v2` of our own: the address says all. */
  readonly overridePath: boolean
  readonly headers: Readonly<Record<string, string>>
  readonly certificates: EndpointCertificates | undefined
}

const CAPABILITIES: readonly string[] = ['pull', 'resolve', 'push']

/** The hosts for the registry `host`, mirrors first, its own server last; undefined when there is no file. */
export async function readHostsToml(
  etc: string,
  host: string,
): Promise<readonly ConfiguredHost[] | undefined> {
  for (const name of [host, '_default']) {
    const folder = join(etc, 'containerd/certs.d', name)
    const file = join(folder, 'hosts.toml')
    const text = readTextIfThere(file)
    if (text === undefined) continue
    const root = await readToml(text, file)
    const hosts = root.table('host')
    const mirrors = hosts?.keys().map((url) => toHost(url, hosts.table(url) ?? hosts, folder)) ?? []
    const server = root.string('server') ?? (name === '_default' ? undefined : `https://${host}`)
    return server === undefined ? mirrors : [...mirrors, toHost(server, root, folder)]
  }
  return undefined
}

function toHost(address: string, table: TomlTable, folder: string): ConfiguredHost {
  const text = /^https?:\/\//.test(address) ? address : `https://${address}`
  if (!URL.canParse(text)) throw table.refuse('server', `${JSON.stringify(address)} is no address`)
  const capabilities = table.strings('capabilities') ?? CAPABILITIES
  const unknown = capabilities.find((one) => !CAPABILITIES.includes(one))
  if (unknown !== undefined)
    throw table.refuse('capabilities', `must not have ${JSON.stringify(unknown)}`)
  return {
    url: new URL(text),
    canPull: capabilities.includes('pull') && capabilities.includes('resolve'),
    canPush: capabilities.includes('push'),
    skipVerify: table.flag('skip_verify'),
    overridePath: table.flag('override_path'),
    headers: headersOf(table),
    certificates: certificatesOf(table, folder),
  }
}

function headersOf(table: TomlTable): Record<string, string> {
  const header = table.table('header')
  const headers: Record<string, string> = Object.create(null)
  for (const name of header?.keys() ?? []) headers[name] = header?.strings(name)?.join(', ') ?? ''
  return headers
}

function certificatesOf(table: TomlTable, folder: string): EndpointCertificates | undefined {
  const read = (path: string, key: string): string => {
    const text = readTextIfThere(path.startsWith('/') ? path : join(folder, path))
    if (text === undefined) throw table.refuse(key, `names ${path}, which is not there`)
    return text
  }
  const authorities = (table.strings('ca') ?? []).map((path) => read(path, 'ca'))
  const client = clientFiles(table)
  if (authorities.length === 0 && client === undefined) return undefined
  if (client === undefined) return { authorities }
  const [certificate, key] = client
  return {
    authorities,
    client: { certificate: read(certificate, 'client'), key: read(key, 'client') },
  }
}

// One file with both, `[certificate, key]`, or a list with one such pair.
function clientFiles(table: TomlTable): readonly [string, string] | undefined {
  const value = table.value('client')
  if (value === undefined) return undefined
  if (typeof value === 'string') return [value, value]
  const pair: unknown = Array.isArray(value) && Array.isArray(value[0]) ? value[0] : value
  if (Array.isArray(pair) && pair.every((item) => typeof item === 'string')) {
    const [certificate = '', key = certificate] = pair as string[]
    return [certificate, key === '' ? certificate : key]
  }
  throw table.refuse('client', 'must be a file, or a certificate and a key')
}
