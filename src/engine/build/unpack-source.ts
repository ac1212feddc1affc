/** ADD of a local tar: told by its content and unpacked, as docker does, with what is in it read as hostile. */
import { fstatSync } from 'node:fs'
import { detectCompression, inflate } from '../../archive/compression.ts'
import { entryComponents } from '../../archive/entry-path.ts'
import { isTarHeader } from '../../archive/is-tar-header.ts'
import { readTarEntries } from '../../archive/tar-entries.ts'
import { TsrunError } from '../../errors.ts'
import { maxInflatedOf } from '../../images/max-inflated.ts'
import { openPlainFile } from '../../native/open-file-in-root.ts'
import { createZstdInflate } from '../../native/zstd.ts'
import { fromByteText } from '../../util/byte-text.ts'
import type { CopySource } from './find-sources.ts'
import { readFrom } from './read-from.ts'
import type { RootWriter } from './root-writer.ts'

/** Of which the first block of a tar can be read for certain. */
const START = 64 * 1024

/** Whether the source is a tar, plain or compressed. Throws for a compression that docker knows and we do not. */
export async function isArchive(source: CopySource): Promise<boolean> {
  using file = source.isFolder ? undefined : openPlainFile(source.fd.fd)
  if (file === undefined) return false
  const start = await firstBlock(readFrom(file, 512))
  if (detectCompression(start) === 'none') {
    refuseOther(source, start)
    return isTarHeader(start)
  }
  try {
    return isTarHeader(await firstBlock(inflate(readFrom(file, START), createZstdInflate)))
  } catch (error) {
    // A file that only begins as gzip does is copied like any other.
    if (error instanceof TsrunError && error.kind === 'invalid-argument') return false
    throw error
  }
}

/**
 * Unpacks the source into the folder `top`. Names lead nowhere but below it, through links of the root as in a
 * chroot; what is of another kind than an entry is replaced by it.
 */
export async function unpackSource(
  source: CopySource,
  top: string,
  writer: RootWriter,
): Promise<void> {
  using file = openPlainFile(source.fd.fd)
  if (file === undefined) return
  const packedSize = fstatSync(file.fd).size
  const bound = { packedSize, maximum: maxInflatedOf() }
  try {
    for await (const entry of readTarEntries(inflate(readFrom(file), createZstdInflate, bound))) {
      const path = pathBelow(top, entry.name)
      if (path === top) continue
      const linkName = entry.type === 'link' ? pathBelow(top, entry.linkName) : entry.linkName
      await writer.write(path, { ...entry, linkName }, { replaces: true, keepsOwner: true })
    }
  } catch (cause) {
    if (!(cause instanceof TsrunError)) throw cause
    throw new TsrunError(cause.kind, `cannot unpack "${fromByteText(source.named)}"`, { cause })
  }
}

function pathBelow(top: string, name: string): string {
  return [...(top === '' ? [] : [top]), ...entryComponents(name)].join('/')
}

async function firstBlock(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  let start = Buffer.alloc(0)
  for await (const chunk of chunks) {
    start = Buffer.concat([start, chunk])
    if (start.length >= 512) break
  }
  return start
}

function refuseOther(source: CopySource, start: Buffer): void {
  const isXz = start.subarray(0, 6).equals(Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]))
  const isBzip2 = /^BZh[1-9]/.test(start.toString('latin1', 0, 4))
  if (!isXz && !isBzip2) return
  const program = isXz ? 'xz' : 'bzip2'
  throw new TsrunError(
    'not-implemented',
    `cannot unpack "${fromByteText(source.named)}": it is compressed by ${program}, which is not supported`,
    { hint: `inflate it with ${program} -d first, or copy it as it is with COPY` },
  )
}
