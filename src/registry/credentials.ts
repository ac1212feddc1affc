/** Credentials for registries as docker keeps them: ~/.docker/config.json and credential helpers. */
import { spawn } from 'node:child_process'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { TsrunError } from '../errors.ts'
import { readJsonFile } from '../util/json-file.ts'

export type Credentials =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** A refresh token that the token service exchanges (OAuth2). */
  | { readonly kind: 'identity-token'; readonly token: string }

const DOCKER_HUB_KEY = 'https://index.docker.io/v1/'
const HELPER_NAME = /^[A-Za-z0-9._-]+$/
const MAX_HELPER_OUTPUT = 1024 * 1024
/** Long enough for a person to unlock a key ring. */
const HELPER_MS = 60_000

export interface CredentialOptions {
  /** Default: {@link dockerConfigPath}. */
  readonly configPath?: string
  /** How long a credential helper may take. */
  readonly helperMs?: number
}

/** The credentials for `host`; undefined when docker's config has none. */
export async function findCredentials(
  host: string,
  { configPath = dockerConfigPath(), helperMs = HELPER_MS }: CredentialOptions = {},
): Promise<Credentials | undefined> {
  const config = readJsonFile(configPath)
  if (!isObject(config)) return undefined
  for (const key of keysOf(host)) {
    const helper = helperFor(config, key)
    const found =
      helper === undefined
        ? fromAuths(config, key, configPath)
        : await askHelper(helper, key, helperMs)
    if (found !== undefined) return found
  }
  return undefined
}

/** `$DOCKER_CONFIG/config.json`, by default in ~/.docker. */
export function dockerConfigPath(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.DOCKER_CONFIG ?? join(homedir(), '.docker'), 'config.json')
}

// Docker writes Docker Hub's entry under the URL of its first registry.
function keysOf(host: string): readonly string[] {
  if (host === 'docker.io' || host === 'registry-1.docker.io')
    return [DOCKER_HUB_KEY, 'docker.io', 'index.docker.io']
  return [host, `https://${host}`, `http://${host}`, `https://${host}/v1/`, `https://${host}/v2/`]
}

function helperFor(config: object, key: string): string | undefined {
  const helpers: unknown = Reflect.get(config, 'credHelpers')
  const own: unknown = isObject(helpers) ? Reflect.get(helpers, key) : undefined
  const name = own ?? Reflect.get(config, 'credsStore')
  if (typeof name !== 'string' || name === '') return undefined
  if (HELPER_NAME.test(name)) return name
  throw new TsrunError(
    'invalid-argument',
    `cannot use the credential helper ${JSON.stringify(name)}: it is not a plain name`,
  )
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

// docker-credential-helpers protocol: the key on stdin, JSON on stdout, exit 1 with a known text for none.
async function askHelper(
  helper: string,
  key: string,
  helperMs: number,
): Promise<Credentials | undefined> {
  const { status, output } = await runHelper(`docker-credential-${helper}`, key, helperMs)
  if (status !== 0) {
    if (/credentials not found/i.test(output)) return undefined
    throw new TsrunError(
      'failed-precondition',
      `cannot get credentials of "${key}": docker-credential-${helper} failed: ${output.trim().slice(0, 300)}`,
    )
  }
  let value: unknown
  try {
    value = JSON.parse(output)
  } catch {
    // The parser's own words quote what was printed, which may be a secret.
    throw new TsrunError(
      'failed-precondition',
      `cannot get credentials of "${key}": docker-credential-${helper} printed no JSON`,
    )
  }
  const username: unknown = isObject(value) ? Reflect.get(value, 'Username') : undefined
  const secret: unknown = isObject(value) ? Reflect.get(value, 'Secret') : undefined
  if (typeof username !== 'string' || typeof secret !== 'string') return undefined
  if (username === '<token>') return { kind: 'identity-token', token: secret }
  return { kind: 'password', username, password: secret }
}

function runHelper(
  program: string,
  key: string,
  helperMs: number,
): Promise<{ status: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['get'], { stdio: ['pipe', 'pipe', 'inherit'] })
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      // A child of the helper may hold the pipe open: nobody waits for it.
      child.stdout.destroy()
      reject(
        new TsrunError(
          'unavailable',
          `cannot get credentials of "${key}": ${program} did not answer within ${helperMs / 1000} seconds`,
          { hint: "run it by hand, or remove it from docker's config.json" },
        ),
      )
    }, helperMs)
    let output = ''
    child.stdout.setEncoding('utf8')
    child.stdout.on('data', (text: string) => {
      output += text
      if (output.length > MAX_HELPER_OUTPUT) child.kill('SIGKILL')
    })
    child.on('error', (cause) => {
      clearTimeout(timer)
      reject(
        new TsrunError(
          'failed-precondition',
          `cannot get credentials of "${key}": ${program} does not start`,
          {
            cause,
            hint: "install the credential helper or remove it from docker's config.json",
          },
        ),
      )
    })
    child.on('close', (status) => {
      clearTimeout(timer)
      resolve({ status, output })
    })
    child.stdin.on('error', () => {
      // The helper ended without reading; its exit status says what is wrong.
    })
    child.stdin.end(`${key}\n`)
  })
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
