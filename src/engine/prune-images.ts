/** Removes images that nothing needs: those without a name, or all that no container uses. */
import { TsrunError } from '../errors.ts'
import type { Image } from '../images/image-store.ts'
import { familiarReference, parseReference } from '../oci/reference.ts'
import type { Engine } from './engine.ts'
import { imagesOf } from './images.ts'

export interface PruneImagesRequest {
  /** Also those with a name. */
  readonly all: boolean
  /** `until=…`, `label=key[=value]`, `label!=…`, `dangling=true|false`; each must hold. */
  readonly filters?: readonly string[]
  readonly now: number
}

export interface PrunedImages {
  readonly untagged: readonly string[]
  /** Ids of images, then digests of layers. */
  readonly deleted: readonly string[]
  /** Bytes of the blobs and of the files of layers that went. */
  readonly bytes: number
}

type Filter = (image: Image) => boolean

/** Removes them, and all blobs and layers that no image is left to need. */
export async function pruneImages(
  engine: Engine,
  request: PruneImagesRequest,
): Promise<PrunedImages> {
  const { all, filters } = readFilters(request)
  const store = imagesOf(engine)
  const used = new Set(engine.containers.ids().map((id) => engine.containers.read(id)?.image?.id))
  const before = sizes(store)
  const untagged: string[] = []
  const deleted: string[] = []
  for (const image of store.list()) {
    if (!all && image.names.length > 0) continue
    if (used.has(image.id) || !filters.every((holds) => holds(image))) continue
    await store.names.removeTargets([image.target.digest])
    untagged.push(...image.names.map((name) => familiarReference(parseReference(name))))
    deleted.push(image.id)
  }
  deleted.push(...(await store.collectGarbage()))
  const after = sizes(store)
  return { untagged, deleted, bytes: Math.max(0, before - after) }
}

function sizes({ content, snapshots }: ReturnType<typeof imagesOf>): number {
  const blobs = content.list().map((digest) => content.sizeOf(digest) ?? 0)
  const layers = snapshots.layers().map((id) => snapshots.layer(id)?.size ?? 0)
  return [...blobs, ...layers].reduce((sum, size) => sum + size, 0)
}

function readFilters({ all, filters = [], now }: PruneImagesRequest): {
  readonly all: boolean
  readonly filters: readonly Filter[]
} {
  const dangling = filters.find((text) => text.startsWith('dangling='))
  const isAll = dangling === undefined ? all : /^dangling=(false|0)$/.test(dangling)
  const others = filters.filter((text) => !text.startsWith('dangling='))
  return { all: isAll, filters: others.map((text) => toFilter(text, now)) }
}

function toFilter(text: string, now: number): Filter {
  const [, key = '', value = ''] = /^(until|label!?)=([\s\S]+)$/.exec(text) ?? []
  if (key === 'until') {
    const limit = momentOf(value, now)
    return ({ config }) => config.created !== undefined && Date.parse(config.created) < limit
  }
  if (key === '')
    throw new TsrunError(
      'invalid-argument',
      `cannot use the filter ${JSON.stringify(text)}: there are until=, label=, label!= and dangling=`,
    )
  const [name = '', wanted] = value.split(/=(.*)/s)
  const has: Filter = ({ config }) => {
    const own = config.config?.Labels ?? {}
    return Object.hasOwn(own, name) && (wanted === undefined || own[name] === wanted)
  }
  return key === 'label' ? has : (image) => !has(image)
}

const UNITS: Readonly<Record<string, number>> = { s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7 }

/** A time as RFC 3339 or seconds since the epoch, or how long ago: `24h`, `1h30m`. */
function momentOf(text: string, now: number): number {
  if (/^(\d+[smhd])+$/.test(text)) {
    const parts = text.match(/\d+[smhd]/g) ?? []
    return (
      now -
      parts.reduce((sum, part) => sum + Number.parseInt(part, 10) * (UNITS[part.slice(-1)] ?? 0), 0)
    )
  }
  if (/^\d{1,11}$/.test(text)) return Number(text) * 1000
  const moment = Date.parse(text)
  if (!Number.isNaN(moment)) return moment
  throw new TsrunError('invalid-argument', `cannot use the time ${JSON.stringify(text)}`, {
    hint: 'write 24h, 2026-01-31T12:00:00Z, or seconds since 1970',
  })
}
