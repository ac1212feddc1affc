/** A container in a CNI network: each plugin of the list adds to what the one before has made, and all take it back in reverse. */
import { TsrunError } from '../../errors.ts'
import type { PortMapping } from '../network-record.ts'
import type { NetworkConfiguration, PluginConfiguration } from './network-configuration.ts'
import { type PluginCall, runPlugin } from './run-plugin.ts'

/** One container in one network. Enough to take it back, whatever becomes of the configuration. */
export interface CniAttachment extends Pick<PluginCall, 'containerId' | 'folders'> {
  readonly network: NetworkConfiguration
  readonly ports: readonly PortMapping[]
}

/** What came of it. */
export interface CniResult {
  /** Without prefix lengths. */
  readonly addresses: readonly string[]
  readonly nameServers: readonly string[]
  readonly search: readonly string[]
}

type Result = Readonly<Record<string, unknown>> | undefined

const INTERFACE = 'eth0'

/** Throws `invalid-argument` when no plugin publishes ports. */
export function checkPorts({ network, ports }: Pick<CniAttachment, 'network' | 'ports'>): void {
  if (ports.length === 0 || network.plugins.some(mapsPorts)) return
  throw new TsrunError(
    'invalid-argument',
    `cannot publish ports from the CNI network "${network.name}": none of its plugins has the capability portMappings`,
    { hint: 'add {"type": "portmap", "capabilities": {"portMappings": true}} to its plugins' },
  )
}

/** Adds the container, whose namespace is at `namespace`. What a failed ADD leaves, `removeFromNetwork` takes back. */
export async function addToNetwork(
  attachment: CniAttachment,
  namespace: string,
): Promise<CniResult & { readonly raw: Result }> {
  let raw: Result
  for (const plugin of attachment.network.plugins)
    raw = (await runPlugin(callOf('ADD', attachment, plugin, { namespace, raw }))) ?? raw
  return { ...readResult(raw), raw }
}

/** Every plugin is asked, the first failure is thrown in the end. The namespace may be gone. */
export async function removeFromNetwork(attachment: CniAttachment, raw: Result): Promise<void> {
  const failures: unknown[] = []
  for (const plugin of attachment.network.plugins.toReversed())
    try {
      await runPlugin(callOf('DEL', attachment, plugin, { namespace: '', raw }))
    } catch (error) {
      failures.push(error)
    }
  if (failures.length > 0) throw failures[0]
}

function callOf(
  verb: PluginCall['verb'],
  { containerId, folders, network, ports }: CniAttachment,
  plugin: PluginConfiguration,
  { namespace, raw }: { readonly namespace: string; readonly raw: Result },
): PluginCall {
  const { name, cniVersion } = network
  const portMappings = ports.map(({ hostIp, ...port }) => ({ ...port, hostIP: hostIp }))
  const runtimeConfig = mapsPorts(plugin) && ports.length > 0 ? { portMappings } : undefined
  const configuration = {
    ...plugin,
    name,
    cniVersion,
    ...(raw === undefined ? {} : { prevResult: raw }),
    ...(runtimeConfig === undefined ? {} : { runtimeConfig }),
  }
  const { type } = plugin
  return { verb, type, folders, containerId, namespace, interface: INTERFACE, configuration }
}

function mapsPorts({ capabilities }: PluginConfiguration): boolean {
  return (
    typeof capabilities === 'object' &&
    capabilities !== null &&
    Reflect.get(capabilities, 'portMappings') === true
  )
}

/** The part of a result that the container's files are made of; what is of another form is left out. */
export function readResult(raw: Result): CniResult {
  const dns = typeof raw?.dns === 'object' && raw.dns !== null ? raw.dns : {}
  const ips = Array.isArray(raw?.ips) ? raw.ips : []
  return {
    addresses: ips.flatMap((one: unknown) =>
      typeof one === 'object' && one !== null
        ? texts([Reflect.get(one, 'address')]).map((text) => text.replace(/\/.*/s, ''))
        : [],
    ),
    nameServers: texts(Reflect.get(dns, 'nameservers')),
    search: texts(Reflect.get(dns, 'search')),
  }
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []
}
