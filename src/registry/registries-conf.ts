/** Reads containers-registries.conf(5): search order, aliases, rewritten locations, mirrors, insecure and blocked registries. */

import { join } from 'node:path'
import { TsrunError } from '../errors.ts'
import { namesIn, readTextIfThere } from '../util/if-there.ts'

export interface ConfiguredRegistry {
  /** What a name must start with: `docker.io`, `quay.io/team`, `*.example.org`. */
  readonly prefix: string
  /** What replaces the prefix. */
  readonly location: string
  readonly insecure: boolean
  readonly blocked: boolean
  readonly mirrorByDigestOnly: boolean
  readonly mirrors: readonly ConfiguredMirror[]
}

export interface ConfiguredMirror {
  readonly location: string
  readonly insecure: boolean
  readonly pulls: 'all' | 'digest-only' | 'tag-only'
}

export interface RegistriesConf {
  /** Registries that are asked for a name without one, in order; undefined when no file says. */
  readonly search: readonly string[] | undefined
  /** Short names and what they stand for. */
  readonly aliases: ReadonlyMap<string, string>
  readonly registries: readonly ConfiguredRegistry[]
}

const EMPTY: RegistriesConf = { search: undefined, aliases: new Map(), registries: [] }

/** The configuration of `<etc>/containers/registries.conf` and its drop-ins, or of the one file `path`. */
export async function readRegistriesConf(etc: string, path?: string): Promise<RegistriesConf> {
  const main = path ?? join(etc, 'containers/registries.conf')
  const folder = `${join(etc, 'containers/registries.conf')}.d`
  const dropIns = path === undefined ? namesIn(folder).filter((name) => name.endsWith('.conf')) : []
  const files = [main, ...dropIns.sort().map((name) => join(folder, name))]
  let merged = EMPTY
  for (const file of files) {
    const text = readTextIfThere(file)
    if (text !== undefined) merged = merge(merged, await parseRegistriesConf(text, file))
  }
  return merged
}

/** The configuration in `text`; throws `invalid-argument` naming the file and the key. */
export async function parseRegistriesConf(text: string, file: string): Promise<RegistriesConf> {
  const { readToml } = await import('./read-toml.ts')
  const root = await readToml(text, file)
  if (root.table('registries') !== undefined)
    throw new TsrunError(
      'not-implemented',
      `cannot use "${file}": it has the old format, with [registries.search]`,
      {
        hint: 'write unqualified-search-registries and [[registry]], see containers-registries.conf(5)',
      },
    )
  const aliases = root.table('aliases')
  return {
    search: root.strings('unqualified-search-registries'),
    aliases: new Map(aliases?.keys().map((name) => [name, aliases.string(name) ?? '']) ?? []),
    registries: root.tables('registry').map((registry) => {
      const location = registry.string('location')
      const prefix = registry.string('prefix') ?? location
      if (prefix === undefined || prefix === '') throw registry.refuse('prefix', 'must be there')
      return {
        prefix,
        location: location ?? '',
        insecure: registry.flag('insecure'),
        blocked: registry.flag('blocked'),
        mirrorByDigestOnly: registry.flag('mirror-by-digest-only'),
        mirrors: registry.tables('mirror').map((mirror) => ({
          location:
            mirror.string('location') ?? refuseMissing(mirror.refuse('location', 'must be there')),
          insecure: mirror.flag('insecure'),
          pulls: mirror.oneOf('pull-from-mirror', ['all', 'digest-only', 'tag-only']) ?? 'all',
        })),
      }
    }),
  }
}

/** The registry whose prefix says most about `name` (`docker.io/library/busybox`); undefined for none. */
export function configuredRegistry(
  conf: RegistriesConf,
  name: string,
): ConfiguredRegistry | undefined {
  const [host = ''] = name.split('/', 1)
  return conf.registries
    .filter(({ prefix }) => {
      if (prefix.startsWith('*.')) return host.endsWith(prefix.slice(1))
      return name === prefix || name.startsWith(`${prefix}/`)
    })
    .toSorted((a, b) => b.prefix.length - a.prefix.length)[0]
}

/** `name` with the registry's location in place of its prefix. */
export function relocated(name: string, prefix: string, location: string): string {
  // A wildcard has no location of its own in most files; the whole host is replaced where it has.
  if (prefix.startsWith('*.')) return location === '' ? name : name.replace(/^[^/]*/, location)
  return location === '' ? name : `${location}${name.slice(prefix.length)}`
}

function merge(below: RegistriesConf, above: RegistriesConf): RegistriesConf {
  const prefixes = new Set(above.registries.map(({ prefix }) => prefix))
  return {
    search: above.search ?? below.search,
    aliases: new Map([...below.aliases, ...above.aliases]),
    registries: [
      ...below.registries.filter(({ prefix }) => !prefixes.has(prefix)),
      ...above.registries,
    ],
  }
}

function refuseMissing(error: TsrunError): never {
  throw error
}
