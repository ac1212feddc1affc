/** What registries say about images: referrers and cosign's tags are listed, and a policy decides on a whole pull. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { referrersOf } from '../../src/engine/image-referrers.ts'
import { describeError } from '../../src/errors.ts'
import type { ImageStore } from '../../src/images/image-store.ts'
import { openImageStore } from '../../src/images/open-image-store.ts'
import { pullImage } from '../../src/images/pull.ts'
import { OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts'
import { parseReference } from '../../src/oci/reference.ts'
import { startRegistry, type TestRegistry } from '../support/docker-registry.ts'
import { TestEngine } from '../support/engine.ts'
import { startFakeRegistry } from '../support/fake-registry.ts'
import { blob, type MadeBlob, type MadeImage, makeImage, pushImage } from '../support/make-image.ts'
import { file } from '../support/tar-builder.ts'
import { createTempDir, type TempDir } from '../support/temp-dir.ts'

const image = makeImage([[file('a', 'x')]])
const { digest } = image.manifest.descriptor
const options = { credentials: async () => undefined, retry: { attempts: 2, baseMs: 1 } }
const SPDX = 'application/spdx+json'

let registry: TestRegistry
let folder: TempDir
let store: ImageStore

beforeAll(async () => {
  registry = await startRegistry()
})
afterAll(() => registry[Symbol.asyncDispose]())
beforeEach(() => {
  folder = createTempDir('tsrun-trust-')
  store = openImageStore(join(folder.path, 'data'))
})
afterEach(() => folder[Symbol.dispose]())

function json(mediaType: string, value: object): MadeBlob {
  return blob(mediaType, Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...value })))
}

/** A manifest about another, of one layer. */
function artifact(layer: MadeBlob, annotations: Record<string, string>, more = {}): MadeImage {
  const config = blob('application/vnd.oci.empty.v1+json', Buffer.from('{}'))
  const layers = [{ ...layer.descriptor, annotations }]
  const manifest = json(OCI_MANIFEST, { config: config.descriptor, layers, ...more })
  return { ...image, manifest, config, layers: [layer] }
}

const sbom = artifact(
  blob(SPDX, Buffer.from('{"spdxVersion":"SPDX-2.3"}')),
  {},
  {
    artifactType: SPDX,
    subject: image.manifest.descriptor,
  },
)
const entry = { ...sbom.manifest.descriptor, artifactType: SPDX, annotations: { by: 'test' } }
const shown = (host: string) => ({
  Repository: `${host}/app`,
  Subject: digest,
  ArtifactType: SPDX,
  MediaType: OCI_MANIFEST,
  Digest: sbom.manifest.descriptor.digest,
  Size: sbom.manifest.descriptor.size,
  Annotations: { by: 'test' },
})
const tagOf = (of: string) => of.replace(':', '-')

test('image inspect --referrers finds them by tags at a registry without the API', async () => {
  await pushImage(registry.host, 'app', 'v1', image)
  await pushImage(
    registry.host,
    'app',
    tagOf(digest),
    [sbom],
    json(OCI_INDEX, { manifests: [entry] }),
  )
  await pushImage(registry.host, 'app', `${tagOf(digest)}.sbom`, sbom)
  using engine = new TestEngine()
  engine.succeed(['pull', '-q', `${registry.host}/app:v1`])
  const inspect = ['image', 'inspect', `${registry.host}/app:v1`]
  expect(JSON.parse(engine.succeed(inspect))[0]).not.toHaveProperty('Referrers')
  const [found] = JSON.parse(engine.succeed([...inspect, '--referrers']))
  const type = 'application/vnd.dev.cosign.artifact.sbom.v1+json'
  expect(found.Referrers).toEqual([
    shown(registry.host),
    { ...shown(registry.host), ArtifactType: type, Annotations: {}, Tag: `${tagOf(digest)}.sbom` },
  ])
})

test('referrersOf() reads the API page by page, and asks no tag then', async () => {
  await using scripted = await startFakeRegistry(image, (request, response) => {
    const url = new URL(request.url ?? '', 'http://x')
    if (url.pathname !== `/v2/app/referrers/${digest}`) return false
    const isFirst = url.searchParams.get('page') === null
    const link = isFirst ? { link: `<${url.pathname}?page=2>; rel="next"` } : {}
    const other = { ...entry, artifactType: 'application/x' }
    const { bytes } = json(OCI_INDEX, { manifests: [isFirst ? entry : other] })
    response.writeHead(200, { 'content-type': OCI_INDEX, ...link }).end(bytes)
    return true
  })
  const pulled = await pullImage(store, parseReference(`${scripted.host}/app`), options)
  const asked = scripted.requests.length
  expect(await referrersOf(pulled, options)).toEqual([
    shown(scripted.host),
    { ...shown(scripted.host), ArtifactType: 'application/x' },
  ])
  expect(scripted.requests.slice(asked)).not.toContain(`GET /v2/app/manifests/${tagOf(digest)}`)
})

test.each<[string, string, RegExp]>([
  ['no index', '{"manifests":1}', /cannot get the referrers of .*: it answered no index/],
  ['a page for ever', '', /its pages do not end/],
])('referrersOf() of a registry that answers %s', async (_, body, sentence) => {
  await using scripted = await startFakeRegistry(image, (request, response) => {
    if (request.url?.includes('/referrers/') !== true) return false
    const { bytes } = json(OCI_INDEX, { manifests: [] })
    response
      .writeHead(200, { link: `<${request.url}>; rel="next"` })
      .end(body === '' ? bytes : body)
    return true
  })
  const pulled = await pullImage(store, parseReference(`${scripted.host}/app`), options)
  expect(await referrersOf(pulled, options).catch(describeError)).toMatch(sentence)
})

const keys = [0, 1].map(() => generateKeyPairSync('ec', { namedCurve: 'P-256' }))

/** Pushes what `cosign sign --key` would have pushed. */
async function signImage(repository: string, key: KeyObject | undefined): Promise<void> {
  const payload = Buffer.from(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': `${registry.host}/${repository}` },
        image: { 'docker-manifest-digest': digest },
        type: 'cosign container image signature',
      },
      optional: null,
    }),
  )
  const signature = key === undefined ? '' : sign('sha256', payload, key).toString('base64')
  const layer = blob('application/vnd.dev.cosign.simplesigning.v1+json', payload)
  const signed = artifact(layer, { 'dev.cosignproject.cosign/signature': signature })
  await pushImage(registry.host, repository, `${tagOf(digest)}.sig`, signed)
}

test('pullImage() under a policy: each repository by its own rule', async () => {
  const keyData = Buffer.from(
    keys[0]?.publicKey.export({ type: 'spki', format: 'pem' }) ?? '',
  ).toString('base64')
  const signedBy = {
    type: 'sigstoreSigned',
    keyData,
    signedIdentity: { type: 'matchRepository' },
  }
  const policy = {
    default: [{ type: 'reject' }],
    transports: {
      docker: {
        [registry.host]: [signedBy],
        [`${registry.host}/open`]: [{ type: 'insecureAcceptAnything' }],
      },
    },
  }
  const etc = join(folder.path, 'etc')
  mkdirSync(join(etc, 'containers'), { recursive: true })
  writeFileSync(join(etc, 'containers/policy.json'), JSON.stringify(policy))
  for (const name of ['signed', 'stranger', 'unsigned', 'open'])
    await pushImage(registry.host, name, 'v1', image)
  await signImage('signed', keys[0]?.privateKey)
  await signImage('stranger', keys[1]?.privateKey)
  const pull = async (name: string, host = registry.host) =>
    await pullImage(store, parseReference(`${host}/${name}:v1`), { ...options, etc }).then(
      ({ id }) => id,
      describeError,
    )
  expect(await pull('unsigned')).toMatch(
    /it has no signature, and policy.json wants one; hint: cosign/,
  )
  expect(await pull('stranger')).toMatch(/no signature of it is good: made with another key/)
  // Nothing but documents came before the policy had its say.
  expect(store.list()).toEqual([])
  expect(image.layers.some(({ descriptor }) => store.content.has(descriptor.digest))).toBe(false)
  expect(await pull('signed')).toBe(image.config.descriptor.digest)
  expect(await pull('open')).toBe(image.config.descriptor.digest)
  const elsewhere = registry.host.replace('127.0.0.1', 'localhost')
  expect(await pull('open', elsewhere)).toMatch(/policy.json rejects it/)
})
