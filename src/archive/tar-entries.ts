/** Reads the entries of a tar stream, byte-exact, in the form that unpacking needs. */
import { once } from 'node:events'
import { type Extract, extract, type Header } from 'tar-stream'
import { TsrunError } from '../errors.ts'
import { decodePaxRecords, parsePaxTime } from './pax-records.ts'
import { type SparseFile, sparseFileOf } from './sparse-map.ts'

export type TarEntryType =
  | 'file'
  | 'link'
  | 'symlink'
  | 'character-device'
  | 'block-device'
  | 'directory'
  | 'fifo'

/** One entry. All texts are byte strings (latin1): names on Linux are bytes, not characters. */
export interface TarEntry {
  readonly type: TarEntryType
  readonly name: string
  /** Target of a link or symbolic link. */
  readonly linkName: string
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes of {@link content}. */
  readonly size: number
  /** Nanoseconds since the epoch. */
  readonly mtime: bigint
  readonly atime: bigint | undefined
  readonly deviceMajor: number
  readonly deviceMinor: number
  readonly xattrs: readonly (readonly [name: string, value: Buffer])[]
  readonly sparse: SparseFile | undefined
  /** Must be read to its end, or left unread, before the next entry is asked for. */
  readonly content: AsyncIterable<Buffer>
}

/** As Go's archive/tar, which docker, podman and containerd read with: no real header comes near. */
const MAX_PAX_BYTES = 1024 * 1024
/** A global header is copied into each entry. */
const MAX_GLOBAL_PAX_BYTES = 64 * 1024
const XATTR_PREFIX = 'SCHILY.xattr.'
/** chown(2) takes (uid_t)-1 as "leave it". */
const MAX_ID = 0xffff_fffe
const TYPES: ReadonlySet<string> = new Set([
  'file',
  'link',
  'symlink',
  'character-device',
  'block-device',
  'directory',
  'fifo',
])

/**
 * The entries of the tar in `plain`, one at a time. `plain` is read to its end; its failure is thrown
 * as it is, a malformed tar as `invalid-argument`.
 */
export async function* readTarEntries(plain: AsyncIterable<Buffer>): AsyncGenerator<TarEntry> {
  const extractor = byteExactExtract()
  let tarFailure: { readonly cause: unknown } | undefined
  extractor.on('error', (cause) => {
    tarFailure ??= { cause }
  })
  const feeding = feed(plain, extractor)
  // What went wrong first: the entry at hand only learns that its stream is gone.
  const explain = async (cause: unknown): Promise<unknown> => {
    const source = await feeding
    return source === undefined ? tarError(tarFailure?.cause ?? cause) : source.error
  }
  try {
    for await (const entry of extractor) {
      yield toTarEntry(entry.header, contentOf(entry as AsyncIterable<Buffer>, explain))
      entry.resume()
    }
  } catch (cause) {
    throw await explain(cause)
  } finally {
    // The consumer may have left early: the feeder stops before the source is closed.
    extractor.destroy(null)
    await feeding
  }
  const source = await feeding
  if (source !== undefined) throw source.error
}

async function* contentOf(
  entry: AsyncIterable<Buffer>,
  explain: (cause: unknown) => Promise<unknown>,
): AsyncGenerator<Buffer> {
  const iterator = entry[Symbol.asyncIterator]()
  for (;;) {
    let next: IteratorResult<Buffer>
    try {
      next = await iterator.next()
    } catch (cause) {
      throw await explain(cause)
    }
    if (next.done === true) return
    yield next.value
  }
}

interface ExtractInternals {
  _header: { type: string }
  _pax: Record<string, string> | null
  _paxGlobal: Record<string, string> | null
  _decodeLongHeader(bytes: Buffer): void
}

/**
 * tar-stream decodes PAX values as UTF-8, which damages names and binary xattrs such as
 * security.capability, and spins on a negative record length. Its one method for that is replaced;
 * test/unit/archive/tar-entries.test.ts guards it against an update.
 */
function byteExactExtract(): Extract {
  const options = { filenameEncoding: 'latin1', allowUnknownFormat: true }
  const extractor = extract(options as Parameters<typeof extract>[0])
  const internals = extractor as unknown as ExtractInternals
  const decodeGnu = internals._decodeLongHeader
  internals._decodeLongHeader = (bytes) => {
    const { type } = internals._header
    checkLongHeader(type, bytes.length)
    if (type === 'pax-global-header') internals._paxGlobal = decodePaxRecords(bytes)
    else if (type === 'pax-header')
      internals._pax = Object.assign(
        Object.create(null),
        internals._paxGlobal,
        decodePaxRecords(bytes),
      )
    else decodeGnu.call(extractor, bytes)
  }
  return extractor
}

function checkLongHeader(type: string, length: number): void {
  const maximum = type === 'pax-global-header' ? MAX_GLOBAL_PAX_BYTES : MAX_PAX_BYTES
  if (length <= maximum) return
  throw new TsrunError(
    'invalid-argument',
    `a header for long names is larger than ${maximum} bytes`,
  )
}

// Resolves to the source's own failure: only then is the tar not to blame.
async function feed(
  plain: AsyncIterable<Buffer>,
  extractor: Extract,
): Promise<{ error: unknown } | undefined> {
  const stream = extractor as unknown as NodeJS.WritableStream & {
    destroyed: boolean
    destroying: boolean
    destroy(error?: unknown): void
  }
  const closed = once(stream, 'close').catch(() => {})
  try {
    for await (const chunk of plain) {
      if (stream.destroying) return undefined
      if (!stream.write(chunk)) await Promise.race([once(stream, 'drain').catch(() => {}), closed])
    }
  } catch (error) {
    stream.destroy(error)
    return { error }
  }
  if (!stream.destroying) stream.end()
  return undefined
}

function toTarEntry(header: Header, content: AsyncIterable<Buffer>): TarEntry {
  const pax = (header.pax ?? {}) as Readonly<Record<string, string>>
  const name = pax['GNU.sparse.name'] ?? header.name
  try {
    const type = entryType(header)
    const stored = header.size ?? 0
    return {
      type,
      name,
      linkName: header.linkname ?? '',
      mode: (header.mode ?? 0) & 0o7777,
      uid: id(pax.uid, header.uid, 'uid'),
      gid: id(pax.gid, header.gid, 'gid'),
      size: type === 'file' ? stored : 0,
      mtime: time(pax.mtime) ?? BigInt(Math.trunc(header.mtime?.getTime() ?? 0)) * 1_000_000n,
      atime: time(pax.atime),
      deviceMajor: header.devmajor ?? 0,
      deviceMinor: header.devminor ?? 0,
      xattrs: xattrsOf(pax),
      sparse: type === 'file' ? sparseFileOf(pax, stored) : undefined,
      content,
    }
  } catch (cause) {
    throw new TsrunError('invalid-argument', `cannot use tar entry ${JSON.stringify(name)}`, {
      cause,
    })
  }
}

function entryType(header: Header): TarEntryType {
  const type: string | null | undefined = header.type
  if (type === 'contiguous-file') return 'file'
  if (typeof type === 'string' && TYPES.has(type)) return type as TarEntryType
  throw new TsrunError('not-implemented', 'its entry type is not supported')
}

function id(pax: string | undefined, plain: number | undefined, what: string): number {
  const value = pax === undefined ? (plain ?? 0) : /^\d{1,10}$/.test(pax) ? Number(pax) : Number.NaN
  if (Number.isInteger(value) && value >= 0 && value <= MAX_ID) return value
  throw new TsrunError('invalid-argument', `its ${what} is not from 0 to ${MAX_ID}`)
}

function time(text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined
  const value = parsePaxTime(text)
  if (value === undefined) throw new TsrunError('invalid-argument', 'its time is malformed')
  return value
}

function xattrsOf(pax: Readonly<Record<string, string>>): [string, Buffer][] {
  return Object.entries(pax)
    .filter(([key]) => key.startsWith(XATTR_PREFIX))
    .map(([key, value]) => [key.slice(XATTR_PREFIX.length), Buffer.from(value, 'latin1')])
}

function tarError(cause: unknown): unknown {
  if (cause instanceof TsrunError) return cause
  const detail = cause instanceof Error ? cause.message : String(cause)
  // The library guesses at the reason behind its own words.
  return new TsrunError('invalid-argument', `the tar is malformed: ${detail.split('. ')[0]}`)
}
