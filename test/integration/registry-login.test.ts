/** Logins as docker has left them, from its config.json through a token service to the registry. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { describeError } from '../../src/errors.ts'
import { openImageStore } from '../../src/images/open-image-store.ts'
import { pullImage } from '../../src/images/pull.ts'
import { parseReference } from '../../src/oci/reference.ts'
import { findCredentials } from '../../src/registry/credentials.ts'
import { type FakeRegistry, startFakeRegistry } from '../support/fake-registry.ts'
import { makeImage } from '../support/make-image.ts'
import { file } from '../support/tar-builder.ts'
import { createTempDir, type TempDir } from '../support/temp-dir.ts'

const image = makeImage([[file('a', 'x')]])
const path = process.env.PATH
let folder: TempDir

beforeEach(() => {
  folder = createTempDir('tsrun-login-')
  process.env.PATH = `${folder.path}${delimiter}${path}`
})
afterEach(() => {
  process.env.PATH = path
  folder[Symbol.dispose]()
})

interface Exchange {
  readonly method: string | undefined
  readonly form: Record<string, string>
  readonly authorization: string | undefined
}

/** A registry that wants a token of its own token service; `answer` is what that says. */
async function startGuarded(
  exchanges: Exchange[],
  answer: () => readonly [status: number, body: string],
): Promise<FakeRegistry> {
  return await startFakeRegistry(image, (request, response) => {
    const { host, authorization } = request.headers
    if (request.url?.startsWith('/token') === true) {
      void readBody(request).then((body) => {
        const form = Object.fromEntries(new URLSearchParams(body))
        exchanges.push({ method: request.method, form, authorization })
        const [status, text] = answer()
        response.writeHead(status, { 'content-type': 'application/json' }).end(text)
      })
      return true
    }
    if (authorization === 'Bearer good') return false
    const challenge = `Bearer realm="http://${host}/token",service="reg",scope="repository:app:pull"`
    response.writeHead(401, { 'www-authenticate': challenge }).end()
    return true
  })
}

async function readBody(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of request) body += String(chunk)
  return body
}

/** Docker's config.json with `config`, and a helper `docker-credential-x` that prints `output`. */
async function pull(registry: FakeRegistry, config: unknown, output = ''): Promise<string> {
  const configPath = join(folder.path, 'docker/config.json')
  mkdirSync(join(folder.path, 'docker'), { recursive: true })
  writeFileSync(configPath, JSON.stringify(config))
  const helper = join(folder.path, 'docker-credential-x')
  writeFileSync(helper, `#!/bin/sh\nprintf '%s' '${output}'\n`)
  chmodSync(helper, 0o755)
  try {
    const store = openImageStore(join(folder.path, 'data'))
    const { id } = await pullImage(store, parseReference(`${registry.host}/app`), {
      retry: { attempts: 1, baseMs: 1, maxWaitMs: 1 },
      credentials: () => findCredentials(registry.host, { configPath }),
    })
    return id === image.config.descriptor.digest ? 'pulled' : id
  } catch (error) {
    return describeError(error).replaceAll(registry.host, 'HOST')
  }
}

const REFRESH = {
  method: 'POST',
  authorization: undefined,
  form: {
    grant_type: 'refresh_token',
    client_id: 'tsrun',
    refresh_token: 'refresh',
    service: 'reg',
    scope: 'repository:app:pull',
  },
}

test('an identity token is exchanged for an access token (OAuth2), once', async () => {
  const exchanges: Exchange[] = []
  await using registry = await startGuarded(exchanges, () => [
    200,
    '{"access_token":"good","expires_in":300}',
  ])
  expect(await pull(registry, { auths: { [registry.host]: { identitytoken: 'refresh' } } })).toBe(
    'pulled',
  )
  expect(exchanges).toEqual([REFRESH])
})

test('an identity token of a credential helper is exchanged too', async () => {
  const exchanges: Exchange[] = []
  await using registry = await startGuarded(exchanges, () => [200, '{"access_token":"good"}'])
  const output = '{"Username":"<token>","Secret":"refresh"}'
  expect(await pull(registry, { credsStore: 'x' }, output)).toBe('pulled')
  expect(exchanges).toEqual([REFRESH])
})

test('a password of a credential helper goes to the token service as Basic', async () => {
  const exchanges: Exchange[] = []
  await using registry = await startGuarded(exchanges, () => [200, '{"token":"good"}'])
  const output = '{"Username":"me","Secret":"pass"}'
  expect(await pull(registry, { credHelpers: { [registry.host]: 'x' } }, output)).toBe('pulled')
  const basic = `Basic ${Buffer.from('me:pass').toString('base64')}`
  expect(exchanges).toEqual([{ method: 'GET', form: {}, authorization: basic }])
})

test('an identity token that has run out is told, not tried again', async () => {
  const exchanges: Exchange[] = []
  await using registry = await startGuarded(exchanges, () => [401, '{"error":"invalid_grant"}'])
  expect(await pull(registry, { auths: { [registry.host]: { identitytoken: 'old' } } })).toBe(
    'cannot log in to registry "HOST": HOST answered 401; hint: check the credentials: tsrun login',
  )
  expect(exchanges).toHaveLength(1)
})

test.each([
  ['no token', '{"expires_in":300}', 'HOST answered without a token'],
  ['a token that is no header', '{"token":"a\\r\\nX-Evil: b"}', 'HOST answered without a token'],
  ['no JSON', '<html>', 'HOST answered no JSON'],
])('a token service that answers with %s is named', async (_, body, message) => {
  await using registry = await startGuarded([], () => [200, body])
  expect(await pull(registry, {})).toBe(`cannot log in to registry "HOST": ${message}`)
})

test('pullImage() asks for a new token when the old one runs out midway', async () => {
  const exchanges: Exchange[] = []
  let token = 'one'
  await using registry = await startFakeRegistry(image, (request, response) => {
    const { host, authorization } = request.headers
    if (request.url?.startsWith('/token') === true) {
      exchanges.push({ method: request.method, form: {}, authorization })
      response.writeHead(200).end(JSON.stringify({ token, expires_in: 300 }))
      return true
    }
    // The registry forgets the first token as soon as a blob is wanted.
    if (request.url?.includes('/blobs/') === true && token === 'one') token = 'two'
    if (authorization === `Bearer ${token}`) return false
    const challenge = `Bearer realm="http://${host}/token",service="reg",scope="repository:app:pull"`
    response.writeHead(401, { 'www-authenticate': challenge }).end()
    return true
  })
  const store = openImageStore(join(folder.path, 'data'))
  const { id } = await pullImage(store, parseReference(`${registry.host}/app`), {
    credentials: async () => undefined,
  })
  expect(id).toBe(image.config.descriptor.digest)
  expect(exchanges).toHaveLength(2)
})
