import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { describeError, TsrunError } from '../../../src/errors.ts'
import { parseSignaturePolicy, requirementsFor } from '../../../src/images/signature-policy.ts'
import { checkRequirements, type SignatureSource } from '../../../src/images/verify-signatures.ts'
import { parseReference } from '../../../src/oci/reference.ts'
import { blob } from '../../support/make-image.ts'

const SIGNING = 'application/vnd.dev.cosign.simplesigning.v1+json'
const digest = `sha256:${'a'.repeat(64)}`
const other = `sha256:${'b'.repeat(64)}`
const [good, stranger] = [0, 1].map(() => generateKeyPairSync('ec', { namedCurve: 'P-256' }))
const edwards = generateKeyPairSync('ed25519')
const pem = (key: KeyObject | undefined): string =>
  Buffer.from(key?.export({ type: 'spki', format: 'pem' }) ?? '').toString('base64')

interface Signed {
  readonly key?: KeyObject | undefined
  readonly image?: string
  readonly name?: string
  readonly type?: string
  readonly damage?: boolean
}

/** A registry that has one signature, made as cosign makes it. */
function registryWith(signed: Signed | undefined, signedDigest = digest): SignatureSource {
  const payload = Buffer.from(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': signed?.name ?? 'r.example/app' },
        image: { 'docker-manifest-digest': signed?.image ?? digest },
        type: signed?.type ?? 'cosign container image signature',
      },
    }),
  )
  const key = signed?.key ?? good?.privateKey
  const made =
    key === undefined
      ? Buffer.alloc(0)
      : sign(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', payload, key)
  const layer = blob(
    SIGNING,
    signed?.damage === true ? Buffer.concat([payload, Buffer.from(' ')]) : payload,
  )
  const annotations = { 'dev.cosignproject.cosign/signature': made.toString('base64') }
  const manifest = {
    schemaVersion: 2,
    config: blob('x', Buffer.from('{}')).descriptor,
    layers: [{ ...layer.descriptor, annotations }],
  }
  return {
    async getManifest(name) {
      if (signed === undefined || name !== signedDigest.replace(':', '-').concat('.sig'))
        throw new TsrunError('not-found', 'none')
      return { mediaType: '', digest: '', bytes: Buffer.from(JSON.stringify(manifest)) }
    },
    async *streamBlob() {
      yield layer.bytes
    },
  }
}

function policy(requirement: object, scope = 'r.example/app'): string {
  return JSON.stringify({
    default: [{ type: 'reject' }],
    transports: { docker: { [scope]: [requirement] } },
  })
}

const signedBy = (
  key = good?.publicKey,
  signedIdentity: object | undefined = { type: 'matchRepository' },
) => ({ type: 'sigstoreSigned', keyData: pem(key), signedIdentity })

async function check(
  text: string,
  source: SignatureSource,
  name = 'r.example/app:v1',
): Promise<string> {
  const reference = parseReference(name)
  try {
    const requirements = requirementsFor(parseSignaturePolicy(text, 'policy.json'), reference)
    await checkRequirements(requirements, { reference, digests: [other, digest] }, source)
    return 'accepted'
  } catch (error) {
    return describeError(error)
  }
}

describe('checkRequirements()', () => {
  it('accepts what one of the keys has signed, for the image or for its index', async () => {
    expect(await check(policy(signedBy()), registryWith({}))).toBe('accepted')
    expect(await check(policy(signedBy()), registryWith({ image: other }, other))).toBe('accepted')
    expect(
      await check(policy(signedBy(edwards.publicKey)), registryWith({ key: edwards.privateKey })),
    ).toBe('accepted')
    const two = { ...signedBy(), keyDatas: [pem(stranger?.publicKey), pem(good?.publicKey)] }
    expect(await check(policy({ ...two, keyData: undefined }), registryWith({}))).toBe('accepted')
  })

  it.each<[string, Signed | undefined, RegExp]>([
    [
      'no signature',
      undefined,
      /it has no signature, and policy.json wants one; hint: cosign sign/,
    ],
    [
      'a signature of another key',
      { key: stranger?.privateKey },
      /no signature of it is good: made with another key/,
    ],
    ['a signature of another image', { image: `sha256:${'c'.repeat(64)}` }, /made for sha256:c+/],
    [
      'a signature for another repository',
      { name: 'r.example/evil' },
      /made for the name "r.example\/evil"/,
    ],
    [
      'a signature of another kind',
      { type: 'atomic container signature' },
      /what was signed is no image/,
    ],
    ['a payload that was changed', { damage: true }, /made with another key/],
  ])('refuses %s', async (_, signed, message) => {
    expect(await check(policy(signedBy()), registryWith(signed))).toMatch(message)
  })

  it('compares names as signedIdentity says', async () => {
    const exact = policy(signedBy(undefined, { type: 'matchExact' }))
    expect(await check(exact, registryWith({ name: 'r.example/app:v1' }))).toBe('accepted')
    expect(await check(exact, registryWith({ name: 'r.example/app:v2' }))).toMatch(
      /made for the name/,
    )
    expect(await check(exact, registryWith({}), 'r.example/app:latest')).toMatch(
      /made for the name/,
    )
    const normal = policy({ type: 'sigstoreSigned', keyData: pem(good?.publicKey) })
    expect(await check(normal, registryWith({}))).toMatch(/made for the name/)
    expect(await check(normal, registryWith({}), `r.example/app@${digest}`)).toBe('accepted')
  })
})

describe('requirementsFor()', () => {
  it.each([
    ['r.example/app:v1', 'accepted'],
    ['r.example/app', 'accepted'],
    ['r.example', 'accepted'],
    ['*.example', 'accepted'],
    ['', 'accepted'],
    ['r.example/ap', 'rejects'],
    ['*.r.example', 'rejects'],
  ])('applies the scope %j', async (scope, outcome) => {
    const text = policy({ type: 'insecureAcceptAnything' }, scope)
    expect(await check(text, registryWith(undefined))).toContain(outcome)
  })

  it.each<[string, object, RegExp]>([
    [
      'GPG',
      { type: 'signedBy', keyType: 'GPGKeys', keyPath: '/k' },
      /the requirement "signedBy" is not supported; hint: supported are/,
    ],
    [
      'fulcio',
      { type: 'sigstoreSigned', fulcio: {} },
      /sigstoreSigned with fulcio is not supported/,
    ],
    [
      'a log of transparency',
      { ...signedBy(), rekorPublicKeyPath: '/k' },
      /sigstoreSigned with rekorPublicKeyPath is not supported/,
    ],
    [
      'another identity',
      signedBy(undefined, { type: 'remapIdentity' }),
      /the signedIdentity "remapIdentity" is not supported/,
    ],
    ['no key', { type: 'sigstoreSigned' }, /a sigstoreSigned has no key/],
    [
      'a key that is none',
      { type: 'sigstoreSigned', keyData: 'AAAA' },
      /a key is no public key in PEM/,
    ],
    [
      'a key that is not there',
      { type: 'sigstoreSigned', keyPath: '/no/key' },
      /its key \/no\/key is not there/,
    ],
  ])('refuses %s by name', async (_, requirement, message) => {
    expect(await check(policy(requirement), registryWith({}))).toMatch(message)
  })

  it.each(['{', '{}', '{"default":[]}', '{"default":[{}],"transports":{"docker":{"a":[]}}}'])(
    'refuses the policy %s',
    async (text) => {
      expect(await check(text, registryWith({}))).toMatch(/^cannot use the policy "policy.json": /)
    },
  )
})
