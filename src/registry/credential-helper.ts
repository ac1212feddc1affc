/** Runs docker's credential helpers: a verb as argument, text on standard input, JSON on standard output. */
import { spawn } from 'node:child_process'
import { TsrunError } from '../errors.ts'
import type { Credentials } from './credentials.ts'

const HELPER_NAME = /^[A-Za-z0-9._-]+$/
const MAX_HELPER_OUTPUT = 1024 * 1024
/** Long enough for a person to unlock a key ring. */
export const HELPER_MS = 60_000

export interface HelperCall {
  /** `osxkeychain` for the program `docker-credential-osxkeychain`. */
  readonly helper: string
  readonly verb: 'get' | 'store' | 'erase'
  /** The registry, for messages. */
  readonly key: string
  readonly input: string
  readonly helperMs: number
}

/** The program's name; throws when it is no plain name, which PATH would not be asked for. */
export function checkHelperName(name: string): string {
  if (HELPER_NAME.test(name)) return name
  throw new TsrunError(
    'invalid-argument',
    `cannot use the credential helper ${JSON.stringify(name)}: it is not a plain name`,
  )
}

/** What the helper knows of `key`; undefined for nothing. */
export async function getFromHelper(
  helper: string,
  key: string,
  helperMs = HELPER_MS,
): Promise<Credentials | undefined> {
  const { status, output } = await runHelper({ helper, verb: 'get', key, input: key, helperMs })
  if (status !== 0) {
    if (/credentials not found/i.test(output)) return undefined
    throw failed(key, helper, `failed: ${output.trim().slice(0, 300)}`)
  }
  let value: unknown
  try {
    value = JSON.parse(output)
  } catch {
    // The parser's own words quote what was printed, which may be a secret.
    throw failed(key, helper, 'printed no JSON')
  }
  const field = (name: string): unknown =>
    typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
  const [username, secret] = [field('Username'), field('Secret')]
  if (typeof username !== 'string' || typeof secret !== 'string') return undefined
  if (username === '<token>') return { kind: 'identity-token', token: secret }
  return { kind: 'password', username, password: secret }
}

/** Gives the helper the credentials of `key` to keep. */
export async function storeInHelper(
  helper: string,
  key: string,
  credentials: Credentials,
  helperMs = HELPER_MS,
): Promise<void> {
  const [username, secret] =
    credentials.kind === 'identity-token'
      ? ['<token>', credentials.token]
      : [credentials.username, credentials.password]
  const input = JSON.stringify({ ServerURL: key, Username: username, Secret: secret })
  const { status, output } = await runHelper({ helper, verb: 'store', key, input, helperMs })
  if (status !== 0) throw failed(key, helper, `did not store them: ${output.trim().slice(0, 300)}`)
}

/** Makes the helper forget `key`; false when it had nothing. */
export async function eraseInHelper(
  helper: string,
  key: string,
  helperMs = HELPER_MS,
): Promise<boolean> {
  const { status, output } = await runHelper({ helper, verb: 'erase', key, input: key, helperMs })
  if (status === 0) return true
  if (/not found/i.test(output)) return false
  throw failed(key, helper, `did not erase them: ${output.trim().slice(0, 300)}`)
}

function runHelper(call: HelperCall): Promise<{ status: number | null; output: string }> {
  const { helper, verb, key, input, helperMs } = call
  return new Promise((resolve, reject) => {
    const child = spawn(`docker-credential-${helper}`, [verb], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      // A child of the helper may hold the pipe open: nobody waits for it.
      child.stdout.destroy()
      reject(
        new TsrunError(
          'unavailable',
          `cannot ${verb} credentials of "${key}": docker-credential-${helper} did not answer within ${helperMs / 1000} seconds`,
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
          `cannot ${verb} credentials of "${key}": docker-credential-${helper} does not start`,
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
    child.stdin.end(`${input}\n`)
  })
}

function failed(key: string, helper: string, detail: string): TsrunError {
  return new TsrunError(
    'failed-precondition',
    `cannot get credentials of "${key}": docker-credential-${helper} ${detail}`,
  )
}
