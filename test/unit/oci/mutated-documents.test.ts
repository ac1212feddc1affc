/** Damaged indexes, manifests, configs and configuration files: each is understood or refused in one sentence. */
import { describe, expect, it } from 'vitest'
import { describeError, TsrunError } from '../../../src/errors.ts'
import { planLayers } from '../../../src/images/store-layers.ts'
import {
  detectManifestKind,
  pairLayers,
  parseImageConfig,
  parseImageIndex,
  parseImageManifest,
} from '../../../src/oci/parse-image.ts'
import { parseRegistriesConf } from '../../../src/registry/registries-conf.ts'
import { makeImage, makeIndex } from '../../support/make-image.ts'
import { mutateBytes, mutateJson } from '../../support/mutate-bytes.ts'
import { seededRandom } from '../../support/random-profiles.ts'
import { file } from '../../support/tar-builder.ts'

const image = makeImage([[file('a', 'x')], [file('b', 'y')]])
const index = makeIndex([image])

/** Undefined when `read` took the input, else what it said. Anything but a TsrunError is a fault of ours. */
async function refusal(read: () => unknown): Promise<string | undefined> {
  try {
    await read()
    return undefined
  } catch (error) {
    if (!(error instanceof TsrunError)) throw error
    return describeError(error)
  }
}

function damaged(bytes: Buffer, seed: number): Buffer {
  const random = seededRandom(seed)
  if (seed % 2 === 0) return mutateBytes(bytes, random)
  return Buffer.from(JSON.stringify(mutateJson(JSON.parse(bytes.toString('utf8')), random)) ?? '')
}

describe.each<[string, Buffer, (bytes: Buffer) => unknown]>([
  ['an index', index.bytes, (bytes) => [detectManifestKind(bytes), parseImageIndex(bytes)]],
  [
    'a manifest',
    image.manifest.bytes,
    (bytes) => pairLayers(parseImageManifest(bytes), parseImageConfig(image.config.bytes)),
  ],
  [
    'a config',
    image.config.bytes,
    (bytes) => planLayers(parseImageManifest(image.manifest.bytes), parseImageConfig(bytes)),
  ],
  [
    'a registries.conf',
    Buffer.from(
      'unqualified-search-registries = ["a"]\n[[registry]]\nprefix = "b"\nlocation = "c"\n[[registry.mirror]]\nlocation = "d"\ninsecure = true\n',
    ),
    (bytes) => parseRegistriesConf(bytes.toString('utf8'), 'x.conf'),
  ],
])('%s', (name, bytes, read) => {
  it('is understood or refused in one sentence, 800 times', async () => {
    let refused = 0
    for (let seed = 0; seed < 800; seed++) {
      const input =
        name === 'a registries.conf' ? mutateBytes(bytes, seededRandom(seed)) : damaged(bytes, seed)
      const said = await refusal(() => read(input))
      if (said === undefined) continue
      refused++
      expect(said).toMatch(/^cannot use ".*$/)
      expect(said.length).toBeLessThan(7000)
    }
    expect(refused).toBeGreaterThan(200)
  })
})
