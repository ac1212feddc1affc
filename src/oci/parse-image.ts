/** Reads index, manifest and config of an image from bytes that anyone may have written. */
import { TsrunError } from '../errors.ts'
import { digestProblem } from './digest.ts'
import type { Descriptor, ImageConfig, ImageIndex, ImageManifest } from './image.ts'
import { JsonCursor, type Problem } from './json-cursor.ts'
import { isIndexType, isManifestType } from './media-types.ts'
import { removeNulls } from './normalize-runtime-config.ts'

/** distribution-spec: registries take manifests of at least 4 MiB; none is legitimately larger. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024
/** Histories grow large, but a config is read whole into memory. */
export const MAX_CONFIG_BYTES = 16 * 1024 * 1024
/** overlayfs stops at 500 lower directories. */
const MAX_LAYERS = 500
const MAX_INDEX_ENTRIES = 10_000

/** The index (OCI) or manifest list (Docker) in `bytes`; throws `invalid-argument` naming what is wrong. */
export function parseImageIndex(bytes: Uint8Array): ImageIndex {
  const { value, root, problems } = open(bytes, MAX_MANIFEST_BYTES, 'image index')
  checkHead(root, isIndexType)
  // A document that is index and manifest at once means different images to different readers (CVE-2021-41190).
  for (const key of ['config', 'layers']) {
    if (root.field(key).present) root.field(key).report('must not stand in an index')
  }
  const manifests = root.field('manifests').required()
  limit(manifests, MAX_INDEX_ENTRIES)
  for (const descriptor of manifests.items()) checkDescriptor(descriptor)
  close(problems, 'image index')
  return value as ImageIndex
}

/** The manifest in `bytes`; throws `invalid-argument` naming what is wrong. */
export function parseImageManifest(bytes: Uint8Array): ImageManifest {
  const { value, root, problems } = open(bytes, MAX_MANIFEST_BYTES, 'image manifest')
  checkHead(root, isManifestType)
  if (root.field('manifests').present)
    root.field('manifests').report('must not stand in a manifest')
  checkDescriptor(root.field('config').required())
  const layers = root.field('layers').required()
  limit(layers, MAX_LAYERS)
  for (const layer of layers.items()) checkDescriptor(layer)
  checkDescriptor(root.field('subject'))
  close(problems, 'image manifest')
  return value as ImageManifest
}

/** The config in `bytes`; throws `invalid-argument` naming what is wrong. */
export function parseImageConfig(bytes: Uint8Array): ImageConfig {
  const { value, root, problems } = open(bytes, MAX_CONFIG_BYTES, 'image config')
  for (const key of ['architecture', 'os']) root.field(key).required().nonEmptyString()
  for (const key of ['created', 'author', 'variant', 'os.version']) root.field(key).string()
  root.field('os.features').strings()
  checkImageProcess(root.field('config'))
  const rootfs = root.field('rootfs').required()
  if (rootfs.object()) {
    rootfs.field('type').required().oneOf(['layers'])
    const diffIds = rootfs.field('diff_ids').required()
    limit(diffIds, MAX_LAYERS)
    for (const diffId of diffIds.items()) checkDigest(diffId)
  }
  for (const entry of root.field('history').items()) checkHistory(entry)
  close(problems, 'image config')
  return value as ImageConfig
}

export interface LayerPair {
  readonly descriptor: Descriptor
  /** Digest of the uncompressed tar. */
  readonly diffId: string
}

/** Each layer of a manifest with the digest of its content; throws when the two lists differ in length. */
export function pairLayers(manifest: ImageManifest, config: ImageConfig): readonly LayerPair[] {
  const diffIds = config.rootfs.diff_ids
  if (diffIds.length !== manifest.layers.length) {
    throw new TsrunError(
      'invalid-argument',
      `cannot use "image manifest": it has ${manifest.layers.length} layers where its config has ${diffIds.length}`,
    )
  }
  return manifest.layers.map((descriptor, index) => ({ descriptor, diffId: diffIds[index] ?? '' }))
}

/** The media type that a parsed document declares or, when it declares none, shows by its fields. */
export function detectManifestKind(bytes: Uint8Array): 'index' | 'manifest' | 'unknown' {
  const { root } = open(bytes, MAX_MANIFEST_BYTES, 'image manifest')
  const mediaType = root.field('mediaType').string()
  if (mediaType !== undefined && isIndexType(mediaType)) return 'index'
  if (mediaType !== undefined && isManifestType(mediaType)) return 'manifest'
  if (root.field('manifests').present) return 'index'
  return root.field('layers').present && root.field('config').present ? 'manifest' : 'unknown'
}

function open(
  bytes: Uint8Array,
  maximum: number,
  what: string,
): { value: unknown; root: JsonCursor; problems: Problem[] } {
  if (bytes.byteLength > maximum) refuse(what, `it is larger than ${maximum} bytes`)
  const problems: Problem[] = []
  let value: unknown
  try {
    value = removeNulls(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)))
  } catch (cause) {
    refuse(what, `it is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
  const root = JsonCursor.root(value, problems)
  if (!root.object()) refuse(what, 'it is not a JSON object')
  return { value, root, problems }
}

function close(problems: readonly Problem[], what: string): void {
  const [first] = problems
  if (first === undefined) return
  const more = problems.length > 1 ? `; and ${problems.length - 1} more` : ''
  refuse(what, `${first.pointer || '/'} ${first.message}${more}`)
}

function checkHead(root: JsonCursor, isType: (mediaType: string) => boolean): void {
  const version = root.field('schemaVersion').required().integer(1, 2)
  if (version === 1) {
    root
      .field('schemaVersion')
      .report('must be 2: Docker schema 1 images are not supported, push the image again')
  }
  const mediaType = root.field('mediaType').string()
  if (mediaType !== undefined && mediaType !== '' && !isType(mediaType)) {
    root.field('mediaType').report(`must fit the document, not ${JSON.stringify(mediaType)}`)
  }
  root.field('artifactType').string()
  root.field('annotations').stringMap()
}

function checkDescriptor(descriptor: JsonCursor): void {
  if (!descriptor.object()) return
  descriptor.field('mediaType').required().string()
  checkDigest(descriptor.field('digest').required())
  descriptor.field('size').required().integer(0, Number.MAX_SAFE_INTEGER)
  descriptor.field('urls').strings()
  descriptor.field('annotations').stringMap()
  descriptor.field('data').string()
  descriptor.field('artifactType').string()
  const platform = descriptor.field('platform')
  if (!platform.object()) return
  platform.field('os').required().string()
  platform.field('architecture').required().string()
  platform.field('variant').string()
  platform.field('os.version').string()
  platform.field('os.features').strings()
}

function checkDigest(cursor: JsonCursor): void {
  const text = cursor.string()
  const problem = text === undefined ? undefined : digestProblem(text)
  if (problem !== undefined) cursor.report(`is not a digest: ${problem}`)
}

function checkImageProcess(config: JsonCursor): void {
  if (!config.object()) return
  for (const key of ['User', 'WorkingDir', 'StopSignal']) config.field(key).string()
  for (const key of ['Env', 'Entrypoint', 'Cmd', 'Shell', 'OnBuild']) config.field(key).strings()
  for (const key of ['ExposedPorts', 'Volumes']) config.field(key).object()
  config.field('Labels').stringMap()
  config.field('ArgsEscaped').boolean()
  const health = config.field('Healthcheck')
  if (!health.object()) return
  health.field('Test').strings()
  for (const key of ['Interval', 'Timeout', 'StartPeriod', 'StartInterval', 'Retries'])
    health.field(key).int64()
}

function checkHistory(entry: JsonCursor): void {
  if (!entry.object()) return
  for (const key of ['created', 'created_by', 'author', 'comment']) entry.field(key).string()
  entry.field('empty_layer').boolean()
}

function limit(list: JsonCursor, maximum: number): void {
  if (Array.isArray(list.value) && list.value.length > maximum)
    list.report(`must have at most ${maximum} entries`)
}

function refuse(what: string, problem: string): never {
  throw new TsrunError('invalid-argument', `cannot use "${what}": ${problem}`)
}
