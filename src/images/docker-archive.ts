/** Finds the images of a docker archive (`docker save`, `podman save`): manifest.json names config and layers by path. */
import { detectCompression } from '../archive/compression.ts'
import { TsrunError } from '../errors.ts'
import type { Descriptor } from '../oci/image.ts'
import { JsonCursor, type Problem } from '../oci/json-cursor.ts'
import {
  OCI_CONFIG,
  OCI_LAYER,
  OCI_LAYER_GZIP,
  OCI_LAYER_ZSTD,
  OCI_MANIFEST,
} from '../oci/media-types.ts'
import {
  MAX_CONFIG_BYTES,
  pairLayers,
  parseImageConfig,
  parseImageManifest,
} from '../oci/parse-image.ts'
import { formatReference, parseReference } from '../oci/reference.ts'
import type { ImageStore } from './image-store.ts'
import type { ArchiveContents, FoundImage } from './import-archive.ts'

interface DockerEntry {
  readonly Config: string
  readonly RepoTags?: readonly string[] | null
  readonly Layers: readonly string[]
}

const MAX_LINKS = 40
const MAX_IMAGES = 1000
const LAYER_TYPES = { none: OCI_LAYER, gzip: OCI_LAYER_GZIP, zstd: OCI_LAYER_ZSTD } as const

/** Writes an OCI manifest for each entry of manifest.json. */
export async function dockerArchiveImages(
  store: ImageStore,
  contents: ArchiveContents,
): Promise<readonly FoundImage[]> {
  const found: FoundImage[] = []
  for (const entry of parseEntries(contents.documents.get('manifest.json') ?? Buffer.alloc(0))) {
    const config = fileAt(contents, entry.Config)
    const layers: Descriptor[] = []
    for (const path of entry.Layers) {
      const layer = fileAt(contents, path)
      layers.push({ mediaType: LAYER_TYPES[await compressionOf(store, layer.digest)], ...layer })
    }
    const bytes = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: OCI_MANIFEST,
        config: { mediaType: OCI_CONFIG, ...config },
        layers,
      }),
    )
    // Checked before it counts: a config without the right number of layers is refused here.
    pairLayers(
      parseImageManifest(bytes),
      parseImageConfig(store.content.read(config.digest, MAX_CONFIG_BYTES)),
    )
    const target: Descriptor = { mediaType: OCI_MANIFEST, ...(await store.content.write(bytes)) }
    found.push({
      target,
      names: (entry.RepoTags ?? []).map((name) => formatReference(parseReference(name))),
    })
  }
  return found
}

function parseEntries(bytes: Buffer): readonly DockerEntry[] {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw new TsrunError('invalid-argument', 'its manifest.json is not JSON', { cause })
  }
  const problems: Problem[] = []
  const root = JsonCursor.root(value, problems)
  if (!Array.isArray(value))
    throw new TsrunError('invalid-argument', 'its manifest.json is not a list')
  if (value.length > MAX_IMAGES)
    throw new TsrunError('invalid-argument', `its manifest.json has more than ${MAX_IMAGES} images`)
  for (const entry of root.items()) {
    if (!entry.object()) continue
    entry.field('Config').required().nonEmptyString()
    if (entry.field('Layers').required().value === null)
      entry.field('Layers').report('must be a list')
    entry.field('Layers').strings()
    if (entry.field('RepoTags').value !== null) entry.field('RepoTags').strings()
  }
  const [first] = problems
  if (first !== undefined)
    throw new TsrunError(
      'invalid-argument',
      `its manifest.json is malformed: ${first.pointer} ${first.message}`,
    )
  return value as readonly DockerEntry[]
}

// `docker save` of old wrote a layer that two images share once, and links to it.
function fileAt(contents: ArchiveContents, name: string): Pick<Descriptor, 'digest' | 'size'> {
  let path = normalize(name)
  for (let links = 0; links <= MAX_LINKS; links++) {
    const file = contents.files.get(path)
    if (file !== undefined) return file
    const target = contents.links.get(path)
    if (target === undefined) break
    path = normalize(target.startsWith('/') ? target : `${path}/../${target}`)
  }
  throw new TsrunError(
    'invalid-argument',
    `its manifest.json names ${JSON.stringify(name)}, which is not in the archive`,
  )
}

// Lexical: the archive's names are keys of a map and never reach a file system.
function normalize(path: string): string {
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return parts.join('/')
}

async function compressionOf(store: ImageStore, digest: string): Promise<'none' | 'gzip' | 'zstd'> {
  for await (const chunk of store.content.stream(digest)) return detectCompression(chunk)
  return 'none'
}
