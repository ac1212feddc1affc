import { describe, expect, it } from 'vitest'
import {
  DOCKER_LAYER_GZIP,
  DOCKER_MANIFEST,
  DOCKER_MANIFEST_LIST,
  isIndexType,
  isManifestType,
  isSchema1Type,
  layerCompression,
  OCI_LAYER,
  OCI_LAYER_ZSTD,
} from '../../../src/oci/media-types.ts'

describe('media types', () => {
  it('layerCompression() knows both families and nothing else', () => {
    expect(layerCompression(OCI_LAYER)).toBe('none')
    expect(layerCompression(OCI_LAYER_ZSTD)).toBe('zstd')
    expect(layerCompression(DOCKER_LAYER_GZIP)).toBe('gzip')
    expect(layerCompression('application/vnd.in-toto+json')).toBeUndefined()
    expect(layerCompression('toString')).toBeUndefined()
  })

  it('predicates tell indexes, manifests and schema 1 apart', () => {
    expect(isIndexType(DOCKER_MANIFEST_LIST)).toBe(true)
    expect(isManifestType(DOCKER_MANIFEST)).toBe(true)
    expect(isManifestType(DOCKER_MANIFEST_LIST)).toBe(false)
    expect(isSchema1Type('application/vnd.docker.distribution.manifest.v1+prettyjws')).toBe(true)
  })
})
