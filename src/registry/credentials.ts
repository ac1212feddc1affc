/** Finds credentials for registries where docker and podman keep them, in files and credential helpers. */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { TsrunError } from '../errors.ts'
import { readJsonFile } from '../util/json-file.ts'
import { checkHelperName, getFromHelper, HELPER_MS } from './credential-helper.ts'

export type Credentials =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** A refresh token that the token service exchanges (OAuth2). */
  | { readonly kind: 'identity-token'; readonly token: string }

const DOCKER_HUB_KEY = 'https://index.docker.io/v1/'

export interface CredentialOptions {
  /** Default: {@link credentialFiles}. */
  readonly configPath?: string
  /** Podman keeps credentials also for a part of a registry: `quay.io/team`. */
  readonly repository?: string
  /** How long a credential helper may take. */
  readonly helperMs?: number
}

/** The credentials for `host`; undefined when nobody has logged in. */
export async function findCredentials(
  host: string,
  options: CredentialOptions = {},
): Promise<Credentials | undefined> {
  const { configPath, helperMs = HELPER_MS } = options
  for (const path of configPath === undefined ? credentialFiles() : [configPath]) {
    const config = readJsonFile(path)
    if (!isObject(config)) continue
    for (const key of keysOf(host, options.repository)) {
      const helper = helperFor(config, key)
      const found =
        helper === undefined
          ? fromAuths(config, key, path)
          : await getFromHelper(helper, key, helperMs)
      if (found !== undefined) return found
    }
  }
  return undefined
}

/** `$DOCKER_CONFIG/config.json`, by default in ~/.docker. */
export function dockerConfigPath(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.DOCKER_CONFIG ?? join(homedir(), '.docker'), 'config.json')
}

/**
 * The files that are looked into, in order: docker's, which `login` writes, then podman's
 * (containers-auth.json(5)). `$REGISTRY_AUTH_FILE` stands before all.
 */
export function credentialFiles(env: NodeJS.ProcessEnv = process.env): readonly string[] {
  const uid = process.getuid?.() ?? 0
  const runtime = env.XDG_RUNTIME_DIR ?? join('/run/containers', String(uid))
  const config = env.XDG_CONFIG_HOME ?? join(homedir(), '.config')
  return [
    ...(env.REGISTRY_AUTH_FILE === undefined || env.REGISTRY_AUTH_FILE === ''
      ? []
      : [env.REGISTRY_AUTH_FILE]),
    dockerConfigPath(env),
    join(runtime, env.XDG_RUNTIME_DIR === undefined ? 'auth.json' : 'containers/auth.json'),
    join(config, 'containers/auth.json'),
  ]
}

/** The key that docker writes for a registry: Docker Hub's is the URL of its first registry. */
export function dockerKeyOf(host: string): string {
  return isDockerHub(host) ? DOCKER_HUB_KEY : host
}

/** The helper that keeps the credentials of `key`, by the config; undefined for the file itself. */
export function helperFor(config: object, key: string): string | undefined {
  const helpers: unknown = Reflect.get(config, 'credHelpers')
  const own: unknown =
    isObject(helpers) && Object.hasOwn(helpers, key) ? Reflect.get(helpers, key) : undefined
  const name = own ?? Reflect.get(config, 'credsStore')
  return typeof name === 'string' && name !== '' ? checkHelperName(name) : undefined
}

function isDockerHub(host: string): boolean {
  return ['docker.io', 'registry-1.docker.io', 'index.docker.io'].includes(host)
}

// The longest part of the repository first, as podman has it; then the forms that docker has used.
function keysOf(host: string, repository: string | undefined): readonly string[] {
  const parts = repository?.split('/') ?? []
  const domain = isDockerHub(host) ? 'docker.io' : host
  const narrow = parts.map((_, i) => [domain, ...parts.slice(0, parts.length - i)].join('/'))
  if (isDockerHub(host)) return [...narrow, DOCKER_HUB_KEY, 'docker.io', 'index.docker.io']
  const wide = [host, `https://${host}`, `http://${host}`]
  return [...narrow, ...wide, `https://${host}/v1/`, `https://${host}/v2/`]
}

function fromAuths(config: object, key: string, configPath: string): Credentials | undefined {
  const auths: unknown = Reflect.get(config, 'auths')
  const entry: unknown =
    isObject(auths) && Object.hasOwn(auths, key) ? Reflect.get(auths, key) : undefined
  if (!isObject(entry)) return undefined
  const token: unknown = Reflect.get(entry, 'identitytoken')
  if (typeof token === 'string' && token !== '') return { kind: 'identity-token', token }
  const auth: unknown = Reflect.get(entry, 'auth')
  if (typeof auth === 'string' && auth !== '') return decodeAuth(auth, key, configPath)
  const username: unknown = Reflect.get(entry, 'username')
  const password: unknown = Reflect.get(entry, 'password')
  if (typeof username === 'string' && typeof password === 'string')
    return { kind: 'password', username, password }
  return undefined
}

function decodeAuth(auth: string, key: string, configPath: string): Credentials {
  const text = Buffer.from(auth, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  if (colon <= 0) {
    throw new TsrunError(
      'failed-precondition',
      `cannot use the credentials of "${key}" in ${configPath}: not base64 of user:password`,
      {
        hint: 'log in again',
      },
    )
  }
  return {
    kind: 'password',
    username: text.slice(0, colon),
    password: text.slice(colon + 1).replace(/\0+$/, ''),
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
