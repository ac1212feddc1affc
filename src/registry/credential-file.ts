/** Keeps and removes credentials as docker does: config.json, or the credential helper that it names. */
import { mkdirSync, realpathSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { TsrunError } from '../errors.ts'
import { writeFileAtomic } from '../util/atomic-write.ts'
import { readJsonFile } from '../util/json-file.ts'
import { eraseInHelper, storeInHelper } from './credential-helper.ts'
import { type Credentials, dockerConfigPath, dockerKeyOf, helperFor } from './credentials.ts'

export interface KeptCredentials {
  /** The file, or the program `docker-credential-…`. */
  readonly place: string
  /** Whether whoever reads the place has the password. */
  readonly isClear: boolean
}

type Config = Record<string, unknown>

/** Stores the credentials of `host` and tells where. */
export async function storeCredentials(
  host: string,
  credentials: Credentials,
  configPath = dockerConfigPath(),
): Promise<KeptCredentials> {
  const key = dockerKeyOf(host)
  const config = readConfig(configPath)
  const helper = helperFor(config, key)
  if (helper === undefined) {
    writeConfig(configPath, withEntry(config, key, entryOf(credentials)))
    return { place: configPath, isClear: true }
  }
  await storeInHelper(helper, key, credentials)
  // An empty entry tells docker and others that the helper has something for this registry.
  writeConfig(configPath, withEntry(config, key, {}))
  return { place: `docker-credential-${helper}`, isClear: false }
}

/** Removes the credentials of `host`; false when there were none. */
export async function eraseCredentials(
  host: string,
  configPath = dockerConfigPath(),
): Promise<boolean> {
  const key = dockerKeyOf(host)
  const config = readConfig(configPath)
  const helper = helperFor(config, key)
  const erased = helper === undefined ? false : await eraseInHelper(helper, key)
  const auths = authsOf(config)
  if (!Object.hasOwn(auths, key)) return erased
  const rest = Object.fromEntries(Object.entries(auths).filter(([name]) => name !== key))
  writeConfig(configPath, { ...config, auths: rest })
  return true
}

/** The registries that the file has entries for. */
export function keptHosts(configPath = dockerConfigPath()): readonly string[] {
  return Object.keys(authsOf(readConfig(configPath)))
}

function readConfig(path: string): Config {
  const value = readJsonFile(path) ?? {}
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Config
  throw new TsrunError('failed-precondition', `cannot use "${path}": it is not a JSON object`)
}

function authsOf(config: Config): Config {
  const { auths } = config
  return typeof auths === 'object' && auths !== null && !Array.isArray(auths)
    ? (auths as Config)
    : {}
}

function withEntry(config: Config, key: string, entry: object): Config {
  return { ...config, auths: { ...authsOf(config), [key]: entry } }
}

function entryOf(credentials: Credentials): object {
  if (credentials.kind === 'identity-token') return { identitytoken: credentials.token }
  const { username, password } = credentials
  return { auth: Buffer.from(`${username}:${password}`).toString('base64') }
}

// The file may be a link into someone's collection of dotfiles: the link stays. Tabs, as docker writes it.
function writeConfig(path: string, config: Config): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const isThere = statSync(path, { throwIfNoEntry: false }) !== undefined
  const real = isThere ? realpathSync(path) : path
  writeFileAtomic(real, `${JSON.stringify(config, undefined, '\t')}\n`, { mode: 0o600 })
}
