/** Builds tars byte by byte: also those that no decent tool writes. */
import { encodePaxRecords } from '../../src/archive/pax-records.ts'

export interface TarInput {
  readonly name: string
  /** The typeflag: '0' file, '1' link, '2' symlink, '3' and '4' devices, '5' directory, '6' fifo. */
  readonly type?: string
  readonly content?: Buffer | string
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  readonly mtime?: number
  readonly linkName?: string
  readonly device?: readonly [major: number, minor: number]
  readonly pax?: Readonly<Record<string, string>>
  /** Lies about the size of the content. */
  readonly size?: number
  /** ustar by default. */
  readonly format?: 'ustar' | 'gnu'
}

const BLOCK = 512

/** The tar of `entries`, with the two zero blocks at its end. Texts are byte strings (latin1). */
export function buildTar(entries: readonly TarInput[]): Buffer {
  return Buffer.concat([...entries.flatMap(entryBlocks), Buffer.alloc(2 * BLOCK)])
}

/** A directory entry. */
export function dir(name: string, more: Partial<TarInput> = {}): TarInput {
  return { name: name.endsWith('/') ? name : `${name}/`, type: '5', mode: 0o755, ...more }
}

/** A file entry. */
export function file(
  name: string,
  content: Buffer | string = '',
  more: Partial<TarInput> = {},
): TarInput {
  return { name, type: '0', content, mode: 0o644, ...more }
}

export function symlink(name: string, linkName: string, more: Partial<TarInput> = {}): TarInput {
  return { name, type: '2', linkName, mode: 0o777, ...more }
}

export function hardLink(name: string, linkName: string): TarInput {
  return { name, type: '1', linkName }
}

function entryBlocks(entry: TarInput): Buffer[] {
  const pax: Record<string, string> = { ...entry.pax }
  const isGnu = entry.format === 'gnu'
  const blocks: Buffer[] = []
  if (entry.name.length > 100 && pax.path === undefined) {
    if (isGnu)
      blocks.push(
        ...rawEntry({
          name: '././@LongLink',
          type: 'L',
          content: `${entry.name}\0`,
          format: 'gnu',
        }),
      )
    else pax.path = entry.name
  }
  if ((entry.linkName ?? '').length > 100) {
    if (isGnu)
      blocks.push(
        ...rawEntry({
          name: '././@LongLink',
          type: 'K',
          content: `${entry.linkName}\0`,
          format: 'gnu',
        }),
      )
    else pax.linkpath = entry.linkName ?? ''
  }
  if (Object.keys(pax).length > 0) {
    blocks.push(...rawEntry({ name: 'pax', type: 'x', content: encodePaxRecords(pax) }))
  }
  return [...blocks, ...rawEntry(entry)]
}

function rawEntry(entry: TarInput): Buffer[] {
  const given = entry.content ?? ''
  const content = typeof given === 'string' ? Buffer.from(given, 'latin1') : given
  const padding = Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)
  return [header(entry, entry.size ?? content.length), content, padding]
}

function header(entry: TarInput, size: number): Buffer {
  const block = Buffer.alloc(BLOCK)
  block.write(entry.name.slice(0, 100), 0, 'latin1')
  writeOctal(block, 100, 8, entry.mode ?? 0o644)
  writeOctal(block, 108, 8, entry.uid ?? 0)
  writeOctal(block, 116, 8, entry.gid ?? 0)
  writeOctal(block, 124, 12, size)
  writeOctal(block, 136, 12, entry.mtime ?? 1_700_000_000)
  block.write(entry.type ?? '0', 156, 'latin1')
  block.write((entry.linkName ?? '').slice(0, 100), 157, 'latin1')
  block.write(entry.format === 'gnu' ? 'ustar  \0' : 'ustar\x0000', 257, 'latin1')
  if (entry.device !== undefined) {
    writeOctal(block, 329, 8, entry.device[0])
    writeOctal(block, 337, 8, entry.device[1])
  }
  block.fill(' ', 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

// Base-256 where octal digits do not suffice (GNU tar manual, "Basic Tar Format").
function writeOctal(block: Buffer, at: number, length: number, value: number): void {
  const digits = value.toString(8)
  if (digits.length < length && value >= 0) {
    block.write(`${digits.padStart(length - 1, '0')}\0`, at, 'latin1')
    return
  }
  block[at] = 0x80
  block.writeUIntBE(value, at + length - 6, 6)
}
