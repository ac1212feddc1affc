import { describe, expect, it } from 'vitest'
import { TsrunError } from '../../../src/errors.ts'
import {
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER_GZIP,
  OCI_MANIFEST,
} from '../../../src/oci/media-types.ts'
import {
  detectManifestKind,
  MAX_MANIFEST_BYTES,
  pairLayers,
  parseImageConfig,
  parseImageIndex,
  parseImageManifest,
} from '../../../src/oci/parse-image.ts'

const DIGEST = `sha256:${'c'.repeat(64)}`
const descriptor = (mediaType: string) => ({ mediaType, digest: DIGEST, size: 10 })
const MANIFEST = {
  schemaVersion: 2,
  mediaType: OCI_MANIFEST,
  config: descriptor(OCI_CONFIG),
  layers: [descriptor(OCI_LAYER_GZIP)],
}
const INDEX = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [descriptor(OCI_MANIFEST)] }
const CONFIG = {
  architecture: 'amd64',
  os: 'linux',
  config: { Env: ['A=1'], Cmd: null, Entrypoint: null, Labels: null },
  rootfs: { type: 'layers', diff_ids: [DIGEST] },
  history: [{ created_by: 'x', empty_layer: true }],
}

const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))

describe('parseImageManifest()', () => {
  it('reads a manifest, with or without mediaType', () => {
    expect(parseImageManifest(bytes(MANIFEST)).layers).toHaveLength(1)
    expect(parseImageManifest(bytes({ ...MANIFEST, mediaType: undefined })).config.size).toBe(10)
  })

  it.each<[string, unknown, string]>([
    ['schema 1', { ...MANIFEST, schemaVersion: 1 }, 'Docker schema 1 images are not supported'],
    ['an index', { ...MANIFEST, manifests: [] }, '/manifests must not stand in a manifest'],
    [
      'a foreign mediaType',
      { ...MANIFEST, mediaType: OCI_INDEX },
      '/mediaType must fit the document',
    ],
    ['no config', { ...MANIFEST, config: undefined }, '/config is required'],
    ['no layers', { ...MANIFEST, layers: null }, '/layers is required'],
    [
      'a wrong digest',
      { ...MANIFEST, layers: [{ ...descriptor('x'), digest: 'sha256:../x' }] },
      '/layers/0/digest is not a digest',
    ],
    [
      'a negative size',
      { ...MANIFEST, layers: [{ ...descriptor('x'), size: -1 }] },
      '/layers/0/size must be from 0',
    ],
    [
      'a size over 2^53',
      { ...MANIFEST, layers: [{ ...descriptor('x'), size: 2 ** 60 }] },
      '/layers/0/size must be from 0',
    ],
    [
      'a size as text',
      { ...MANIFEST, layers: [{ ...descriptor('x'), size: '1' }] },
      '/layers/0/size must be a whole number',
    ],
    [
      'too many layers',
      { ...MANIFEST, layers: Array.from({ length: 501 }, () => descriptor('x')) },
      '/layers must have at most 500 entries',
    ],
    ['a null layer', { ...MANIFEST, layers: [null] }, '/layers/0 must not be null'],
    ['an array', [], 'it is not a JSON object'],
  ])('refuses %s', (_, value, reason) => {
    expect(() => parseImageManifest(bytes(value))).toThrow(reason)
    expect(() => parseImageManifest(bytes(value))).toThrow(TsrunError)
  })

  it('refuses what is not UTF-8 JSON or too large', () => {
    expect(() => parseImageManifest(new Uint8Array([0xff, 0xfe]))).toThrow('it is not JSON')
    expect(() => parseImageManifest(new Uint8Array(0))).toThrow('it is not JSON')
    expect(() => parseImageManifest(new Uint8Array(MAX_MANIFEST_BYTES + 1))).toThrow('larger than')
    expect(() => parseImageManifest(new TextEncoder().encode('<html>'))).toThrow('it is not JSON')
  })
})

describe('parseImageIndex()', () => {
  it('reads an index', () => {
    expect(parseImageIndex(bytes(INDEX)).manifests[0]?.digest).toBe(DIGEST)
  })

  it('refuses a document that is a manifest too', () => {
    expect(() => parseImageIndex(bytes({ ...INDEX, layers: [] }))).toThrow(
      '/layers must not stand in an index',
    )
  })

  it('refuses a platform of the wrong type', () => {
    const manifests = [{ ...descriptor(OCI_MANIFEST), platform: { os: 'linux', architecture: 1 } }]
    expect(() => parseImageIndex(bytes({ ...INDEX, manifests }))).toThrow(
      '/manifests/0/platform/architecture',
    )
  })
})

describe('parseImageConfig()', () => {
  it('reads a config and drops nulls', () => {
    const config = parseImageConfig(bytes(CONFIG))
    expect(config.config).toEqual({ Env: ['A=1'] })
    expect(pairLayers(parseImageManifest(bytes(MANIFEST)), config)).toEqual([
      { descriptor: descriptor(OCI_LAYER_GZIP), diffId: DIGEST },
    ])
  })

  it.each<[string, unknown, string]>([
    ['no rootfs', { ...CONFIG, rootfs: undefined }, '/rootfs is required'],
    [
      'a wrong rootfs',
      { ...CONFIG, rootfs: { type: 'dir', diff_ids: [] } },
      '/rootfs/type must be one of layers',
    ],
    [
      'a wrong diff id',
      { ...CONFIG, rootfs: { type: 'layers', diff_ids: ['x'] } },
      '/rootfs/diff_ids/0 is not a digest',
    ],
    ['Env as an object', { ...CONFIG, config: { Env: {} } }, '/config/Env must be an array'],
    [
      'NUL in Cmd',
      { ...CONFIG, config: { Cmd: ['a\0'] } },
      '/config/Cmd/0 must not hold a NUL byte',
    ],
    ['no architecture', { ...CONFIG, architecture: undefined }, '/architecture is required'],
  ])('refuses %s', (_, value, reason) => {
    expect(() => parseImageConfig(bytes(value))).toThrow(reason)
  })

  it('pairLayers() refuses lists of different lengths', () => {
    const config = parseImageConfig(bytes({ ...CONFIG, rootfs: { type: 'layers', diff_ids: [] } }))
    expect(() => pairLayers(parseImageManifest(bytes(MANIFEST)), config)).toThrow(
      'it has 1 layers where its config has 0',
    )
  })
})

describe('detectManifestKind()', () => {
  it('goes by mediaType, then by fields', () => {
    expect(detectManifestKind(bytes(INDEX))).toBe('index')
    expect(detectManifestKind(bytes({ ...MANIFEST, mediaType: undefined }))).toBe('manifest')
    expect(detectManifestKind(bytes({ schemaVersion: 2 }))).toBe('unknown')
  })
})
