/** Registries with TLS: which authorities count, and the way through a proxy. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { describeError } from '../../src/errors.ts'
import { openImageStore } from '../../src/images/open-image-store.ts'
import { type PullOptions, pullImage } from '../../src/images/pull.ts'
import { parseReference } from '../../src/oci/reference.ts'
import { makeCertificates, type TestCertificates } from '../support/certificates.ts'
import { startConnectProxy } from '../support/connect-proxy.ts'
import { contentAt, type FakeRegistry, startFakeRegistry } from '../support/fake-registry.ts'
import { makeImage } from '../support/make-image.ts'
import { TSRUN } from '../support/runtime.ts'
import { file } from '../support/tar-builder.ts'

const image = makeImage([[file('a', 'x')], [file('b', 'y')]])
/** A name that only the proxy knows. */
const NAME = 'registry.tsrun.test'

let folder: string
let certificates: TestCertificates
let registry: FakeRegistry
let root: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tsrun-tls-'))
  certificates = makeCertificates(folder, ['IP:127.0.0.1', `DNS:${NAME}`])
  registry = await startFakeRegistry(image, () => false, certificates)
})
afterAll(async () => {
  await registry[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tsrun-tls-root-'))
})
afterEach(() => {
  rmSync(root, { recursive: true, force: true })
})

async function pull(host: string, options: PullOptions): Promise<string> {
  try {
    const { id } = await pullImage(openImageStore(root), parseReference(`${host}/app`), {
      retry: { attempts: 1, baseMs: 1, maxWaitMs: 1 },
      credentials: async () => undefined,
      env: {},
      ...options,
    })
    return id === image.config.descriptor.digest ? 'pulled' : id
  } catch (error) {
    return describeError(error)
  }
}

const port = (): number => Number(registry.host.split(':')[1])

describe('a registry whose authority is not the system’s', () => {
  test('is not trusted, and the message says how to trust it', async () => {
    expect(await pull(registry.host, {})).toBe(
      `cannot get manifest "app:latest" from registry "${registry.host}": its certificate is not trusted (UNABLE_TO_VERIFY_LEAF_SIGNATURE); hint: add its authority by TSRUN_EXTRA_CA_CERTS=file, or use --tls-verify=false`,
    )
  })

  test.each(['TSRUN_EXTRA_CA_CERTS', 'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE'])(
    'is trusted by %s',
    async (name) => {
      expect(await pull(registry.host, { env: { [name]: certificates.authority } })).toBe('pulled')
    },
  )

  test('is not trusted when SSL_CERT_FILE names others', async () => {
    const other = makeCertificates(mkdtempSync(join(folder, 'other-')), ['DNS:x'])
    expect(await pull(registry.host, { env: { SSL_CERT_FILE: other.authority } })).toContain(
      'its certificate is not trusted',
    )
  })

  test('is not asked when the file is missing', async () => {
    expect(await pull(registry.host, { env: { TSRUN_EXTRA_CA_CERTS: '/nonexistent' } })).toBe(
      'cannot read "/nonexistent" of TSRUN_EXTRA_CA_CERTS: there is no such file',
    )
  })

  test('is taken as it is without verification', async () => {
    expect(await pull(registry.host, { verifyTls: false })).toBe('pulled')
  })

  test('is not trusted under another name', async () => {
    const env = { TSRUN_EXTRA_CA_CERTS: certificates.authority }
    expect(await pull(`localhost:${port()}`, { env })).toContain(
      'its certificate is for another name (ERR_TLS_CERT_ALTNAME_INVALID); hint: check the name',
    )
  })
})

// Node and Bun look at it at each connection: it would switch verification off for all that root pulls.
describe('NODE_TLS_REJECT_UNAUTHORIZED=0', () => {
  const run = promisify(execFile)
  const pullBy = async (env: NodeJS.ProcessEnv, ...flags: readonly string[]): Promise<string> => {
    const roots = [`--data-root=${root}/data`, `--state-root=${root}/state`]
    const words = [...roots, 'pull', ...flags, `${env.HOST}/app`]
    return await run(TSRUN, words, { env: { ...env, NODE_TLS_REJECT_UNAUTHORIZED: '0' } }).then(
      ({ stdout }) => stdout,
      (error: { readonly stderr: string }) => error.stderr,
    )
  }

  test('does not weaken the check of the certificate, through a proxy neither', async () => {
    const direct = await pullBy({ HOST: registry.host })
    expect(direct).toContain('its certificate is not trusted')
    await using proxy = await startConnectProxy(port())
    const proxied = await pullBy({ HOST: NAME, HTTPS_PROXY: `http://${proxy.url}` })
    expect(proxied).toContain('its certificate is not trusted')
    expect(proxy.connects).toHaveLength(1)
    expect(await pullBy({ HOST: registry.host }, '--tls-verify=false')).toContain(
      image.config.descriptor.digest.replace('sha256:', ''),
    )
  })
})

test('a password is not sent to a token service without TLS', async () => {
  const asked: (string | undefined)[] = []
  await using plain = await startFakeRegistry(image, ({ url }, response) => {
    asked.push(url)
    response.writeHead(200).end('{"token": "good"}')
    return true
  })
  await using guarded = await startFakeRegistry(
    image,
    (_request, response) => {
      const challenge = `Bearer realm="http://${plain.host}/token",service="reg"`
      response.writeHead(401, { 'www-authenticate': challenge }).end()
      return true
    },
    certificates,
  )
  const said = await pull(guarded.host, {
    env: { TSRUN_EXTRA_CA_CERTS: certificates.authority },
    credentials: async () => ({ kind: 'password', username: 'me', password: 'secret' }),
  })
  expect(said).toMatch(/its token service 127\.0\.0\.1:\d+ is plain HTTP; hint: /)
  expect(asked).toEqual([])
})

describe('HTTPS_PROXY', () => {
  test('leads to registries by CONNECT, with the credentials of its URL', async () => {
    await using proxy = await startConnectProxy(port())
    const env = {
      TSRUN_EXTRA_CA_CERTS: certificates.authority,
      HTTPS_PROXY: `http://me:p%40ss@${proxy.url}`,
    }
    expect(await pull(NAME, { env })).toBe('pulled')
    const login = Buffer.from('me:p@ss').toString('base64')
    expect(new Set(proxy.connects)).toEqual(new Set([`${NAME}:443 Basic ${login}`]))
  })

  test('does not weaken the check of the certificate', async () => {
    await using proxy = await startConnectProxy(port())
    expect(await pull(NAME, { env: { HTTPS_PROXY: `http://${proxy.url}` } })).toContain(
      'its certificate is not trusted',
    )
  })

  test('is left out for what NO_PROXY names and for this machine', async () => {
    await using proxy = await startConnectProxy(port())
    const base = {
      TSRUN_EXTRA_CA_CERTS: certificates.authority,
      HTTPS_PROXY: `http://${proxy.url}`,
    }
    expect(await pull(NAME, { env: { ...base, NO_PROXY: '.tsrun.test' } })).toContain(
      'its name does not resolve',
    )
    expect(await pull(registry.host, { env: base })).toBe('pulled')
    expect(proxy.connects).toEqual([])
  })

  test('is decided for each host that a registry redirects to', async () => {
    // Storage on this machine, reached directly, behind a registry that is reached through the proxy.
    await using outer = await startFakeRegistry(
      image,
      (request, response) => {
        const url = request.url ?? ''
        if (!url.includes('/blobs/')) return false
        response.writeHead(307, { location: `https://${registry.host}${url}` }).end()
        return contentAt(image, url) !== undefined
      },
      certificates,
    )
    await using proxy = await startConnectProxy(Number(outer.host.split(':')[1]))
    const env = {
      TSRUN_EXTRA_CA_CERTS: certificates.authority,
      HTTPS_PROXY: `http://${proxy.url}`,
    }
    const before = registry.requests.length
    expect(await pull(NAME, { env })).toBe('pulled')
    expect(registry.requests.length).toBe(before + 3)
    expect(new Set(proxy.connects)).toEqual(new Set([`${NAME}:443`]))
  })

  test('that refuses is named', async () => {
    await using proxy = await startConnectProxy(port(), 407)
    expect(await pull(NAME, { env: { HTTPS_PROXY: `http://${proxy.url}` } })).toContain(
      `proxy ${proxy.url} answered 407 to CONNECT ${NAME}:443`,
    )
  })

  test('of another kind is refused without its password', async () => {
    expect(await pull(NAME, { env: { HTTPS_PROXY: 'socks5://me:secret@127.0.0.1:1080' } })).toBe(
      'cannot use the proxy "socks5://127.0.0.1:1080": only http:// proxies are supported; hint: set HTTPS_PROXY to an http:// proxy, or NO_PROXY to the name of the registry',
    )
  })
})
