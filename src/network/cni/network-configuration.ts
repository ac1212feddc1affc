/** Network configurations of CNI (https://www.cni.dev/docs/spec/, 1.0.0): the files of a folder, found by the name inside. */
import { join } from 'node:path'
import { TsrunError } from '../../errors.ts'
import { namesIn, readTextIfThere } from '../../util/if-there.ts'

/** What a plugin is given, beside what the runtime adds. */
export interface PluginConfiguration {
  readonly type: string
  readonly [key: string]: unknown
}

export interface NetworkConfiguration {
  readonly name: string
  readonly cniVersion: string
  /** In the order in which they add something. */
  readonly plugins: readonly PluginConfiguration[]
}

/** Results have their present form since the second. */
const VERSIONS = /^(?:0\.[34]|1\.\d+)\.\d+$/

/** The configuration of this name. Throws `not-found` with the names that there are, `invalid-argument` for a wrong file. */
export function findConfiguration(folder: string, name: string): NetworkConfiguration {
  const names: string[] = []
  for (const file of filesIn(folder)) {
    const path = join(folder, file)
    const value = readJson(path)
    if (typeof value.name === 'string') names.push(value.name)
    if (value.name === name) return parseConfiguration(value, path)
  }
  throw new TsrunError(
    'not-found',
    `cannot find the CNI network "${name}": no file in ${folder} has this name`,
    {
      hint: names.length === 0 ? 'put a configuration there' : `there are ${names.join(', ')}`,
    },
  )
}

/** A list of plugins, or a single one, which is a list of one. */
export function parseConfiguration(
  value: Readonly<Record<string, unknown>>,
  path: string,
): NetworkConfiguration {
  const { name, cniVersion = '0.3.0', plugins = [value] } = value
  if (typeof name !== 'string' || !/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name))
    throw wrong(path, 'its name is none of letters, digits, "_", "." and "-"')
  if (typeof cniVersion !== 'string' || !VERSIONS.test(cniVersion))
    throw wrong(path, 'its cniVersion is none from 0.3.0 to 1.x')
  if (!Array.isArray(plugins) || plugins.length === 0 || !plugins.every(isPlugin))
    throw wrong(path, 'a plugin of it has no type that is the name of a program')
  return { name, cniVersion, plugins }
}

// A path would lead out of the folders that plugins are in.
function isPlugin(value: unknown): value is PluginConfiguration {
  if (typeof value !== 'object' || value === null) return false
  const type: unknown = Reflect.get(value, 'type')
  return typeof type === 'string' && /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(type)
}

function filesIn(folder: string): readonly string[] {
  return namesIn(folder)
    .filter((name) => /\.(?:conflist|conf|json)$/.test(name))
    .sort()
}

function readJson(path: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(readTextIfThere(path) ?? 'null')
  } catch (cause) {
    throw new TsrunError('invalid-argument', `cannot read ${path}: it is no JSON`, { cause })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  throw wrong(path, 'it is no object')
}

function wrong(path: string, why: string): TsrunError {
  return new TsrunError('invalid-argument', `cannot use ${path}: ${why}`)
}
