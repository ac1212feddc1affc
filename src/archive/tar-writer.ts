/** Writes tar entries byte-exact: POSIX ustar headers, PAX records for what does not fit (pax(1)), GNU sparse 1.0. */
import { encodePaxRecords } from './pax-records.ts'
import type { SparseFile } from './sparse-map.ts'
import type { TarEntry, TarEntryType } from './tar-entries.ts'

const BLOCK = 512
const MAX_OCTAL_ID = 0o7777777
const MAX_OCTAL_SIZE = 0o77777777777
const TYPE_FLAGS: Readonly<Record<TarEntryType, string>> = {
  file: '0',
  link: '1',
  symlink: '2',
  'character-device': '3',
  'block-device': '4',
  directory: '5',
  fifo: '6',
}

/**
 * The tar of `entries`, whose contents are read as it is. A content must have exactly the size that its entry
 * says, and pieces of a sparse file, but for the last, are whole blocks.
 */
export async function* writeTar(entries: AsyncIterable<TarEntry>): AsyncGenerator<Buffer> {
  for await (const entry of entries) {
    const map = entry.sparse === undefined ? undefined : sparseMap(entry.sparse)
    const stored = entry.size + (map?.length ?? 0)
    yield headersOf(entry, stored)
    if (map !== undefined) yield map
    let length = 0
    if (entry.type === 'file') {
      for await (const chunk of entry.content) {
        length += chunk.length
        yield chunk
      }
    }
    if (length !== entry.size) throw new RangeError(`${entry.name} has not the size it was to have`)
    yield padding(length)
  }
  yield Buffer.alloc(2 * BLOCK)
}

/** The header blocks of one entry. */
function headersOf(entry: TarEntry, stored: number): Buffer {
  const name =
    entry.type === 'directory' && !entry.name.endsWith('/') ? `${entry.name}/` : entry.name
  const records = paxRecordsOf(entry, name, stored)
  const shown = entry.sparse === undefined ? name : 'GNUSparseFile.0/file'
  const main = ustarHeader(entry, shown, stored, TYPE_FLAGS[entry.type])
  if (Object.keys(records).length === 0) return main
  const body = encodePaxRecords(records)
  const plain = {
    ...entry,
    mode: 0o644,
    uid: 0,
    gid: 0,
    linkName: '',
    deviceMajor: 0,
    deviceMinor: 0,
  }
  const pax = ustarHeader(plain, 'PaxHeaders.0/entry', body.length, 'x')
  return Buffer.concat([pax, body, padding(body.length), main])
}

function paxRecordsOf(entry: TarEntry, name: string, stored: number): Record<string, string> {
  const seconds = entry.mtime / 1_000_000_000n
  const fraction = entry.mtime % 1_000_000_000n
  return {
    ...(needsRecord(name, 100) && entry.sparse === undefined ? { path: name } : {}),
    ...(needsRecord(entry.linkName, 100) ? { linkpath: entry.linkName } : {}),
    ...(entry.uid > MAX_OCTAL_ID ? { uid: String(entry.uid) } : {}),
    ...(entry.gid > MAX_OCTAL_ID ? { gid: String(entry.gid) } : {}),
    ...(stored > MAX_OCTAL_SIZE ? { size: String(stored) } : {}),
    ...(fraction > 0n ? { mtime: `${seconds}.${String(fraction).padStart(9, '0')}` } : {}),
    ...(entry.sparse === undefined
      ? {}
      : {
          'GNU.sparse.major': '1',
          'GNU.sparse.minor': '0',
          'GNU.sparse.name': name,
          'GNU.sparse.realsize': String(entry.sparse.size),
        }),
    ...Object.fromEntries(
      entry.xattrs.map(([key, value]) => [`SCHILY.xattr.${key}`, value.toString('latin1')]),
    ),
  }
}

// Beyond ASCII the fields of the header have no known encoding; PAX says UTF-8, and everybody writes bytes.
function needsRecord(text: string, length: number): boolean {
  return text.length > length || /[^ -~]/.test(text)
}

function ustarHeader(entry: TarEntry, name: string, size: number, type: string): Buffer {
  const header = Buffer.alloc(BLOCK)
  const seconds = entry.mtime < 0n ? 0n : entry.mtime / 1_000_000_000n
  header.write(name.slice(0, 100), 0, 'latin1')
  octal(header, 100, 8, entry.mode)
  octal(header, 108, 8, entry.uid > MAX_OCTAL_ID ? 0 : entry.uid)
  octal(header, 116, 8, entry.gid > MAX_OCTAL_ID ? 0 : entry.gid)
  octal(header, 124, 12, size > MAX_OCTAL_SIZE ? 0 : size)
  octal(header, 136, 12, Number(seconds > BigInt(MAX_OCTAL_SIZE) ? 0n : seconds))
  header.write('        ', 148, 'latin1')
  header.write(type, 156, 'latin1')
  header.write(entry.linkName.slice(0, 100), 157, 'latin1')
  header.write('ustar\x0000', 257, 'latin1')
  if (entry.type === 'character-device' || entry.type === 'block-device') {
    octal(header, 329, 8, entry.deviceMajor)
    octal(header, 337, 8, entry.deviceMinor)
  }
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return header
}

function octal(header: Buffer, offset: number, length: number, value: number): void {
  header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, offset, 'latin1')
}

// An empty piece ends a file that ends with a hole: GNU tar makes the file no longer than its last piece.
function sparseMap({ pieces = [], size }: SparseFile): Buffer {
  const last = pieces.at(-1)
  const endsWithData = last !== undefined && last.offset + last.length === size
  const all = endsWithData ? pieces : [...pieces, { offset: size, length: 0 }]
  const numbers = [all.length, ...all.flatMap(({ offset, length }) => [offset, length])]
  const text = numbers.map((number) => `${number}\n`).join('')
  return Buffer.concat([Buffer.from(text, 'latin1'), padding(text.length)])
}

function padding(length: number): Buffer {
  return Buffer.alloc((BLOCK - (length % BLOCK)) % BLOCK)
}
