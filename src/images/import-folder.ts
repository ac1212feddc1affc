/** Reads images from a folder: an OCI image layout, or what skopeo writes as `dir:`. */
import {
  closeSync,
  constants,
  createReadStream,
  type Dirent,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { isDigest } from '../oci/digest.ts'
import type { Descriptor } from '../oci/image.ts'
import { MAX_MANIFEST_BYTES } from '../oci/parse-image.ts'
import type { Image, ImageStore } from './image-store.ts'
import {
  type ArchiveContents,
  DOCUMENTS,
  type ImportOptions,
  importContents,
} from './import-archive.ts'

const MAX_FILES = 100_000
/** `blobs/sha256/<hex>`. */
const MAX_DEPTH = 3

/** Imports every image of the folder. Links in it are not followed. */
export async function importFolder(
  store: ImageStore,
  folder: string,
  options: ImportOptions = {},
): Promise<readonly Image[]> {
  return await importContents(store, () => readFolder(store, folder, options.signal), options)
}

async function readFolder(
  store: ImageStore,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<ArchiveContents> {
  const documents = new Map<string, Buffer>()
  const files = new Map<string, Pick<Descriptor, 'digest' | 'size'>>()
  for (const path of filesBelow(folder)) {
    signal?.throwIfAborted()
    if (DOCUMENTS.has(path)) documents.set(path, readDocument(join(folder, path), path))
    else files.set(path, await storeFile(store, folder, path))
  }
  return { documents, files, links: new Map() }
}

function filesBelow(folder: string): readonly string[] {
  const found: string[] = []
  const open = ['']
  for (let below = open.pop(); below !== undefined; below = open.pop()) {
    for (const entry of entriesOf(folder, below)) {
      const path = below === '' ? entry.name : `${below}/${entry.name}`
      if (entry.isDirectory()) {
        if (path.split('/').length < MAX_DEPTH) open.push(path)
      } else if (entry.isFile()) found.push(path)
      else throw refused(path, 'is no plain file')
      if (found.length > MAX_FILES)
        throw new TsrunError('invalid-argument', `it has more than ${MAX_FILES} files`)
    }
  }
  return found.sort()
}

function entriesOf(folder: string, below: string): readonly Dirent[] {
  try {
    return readdirSync(join(folder, below), { withFileTypes: true })
  } catch (cause) {
    const errno = errnoCodeOf(cause)
    throw new TsrunError('not-found', `cannot read the folder "${join(folder, below)}"`, {
      cause,
      ...(errno === undefined ? {} : { errno }),
    })
  }
}

function readDocument(path: string, name: string): Buffer {
  const fd = openPlain(path)
  try {
    if (fstatSync(fd).size > MAX_MANIFEST_BYTES)
      throw refused(name, `is larger than ${MAX_MANIFEST_BYTES} bytes`)
    return readFileSync(fd)
  } finally {
    closeSync(fd)
  }
}

async function storeFile(
  store: ImageStore,
  folder: string,
  path: string,
): Promise<Pick<Descriptor, 'digest' | 'size'>> {
  const fd = openPlain(join(folder, path))
  const { size } = fstatSync(fd)
  const stream = createReadStream('', { fd, highWaterMark: 256 * 1024 })
  const [top, algorithm, hex] = path.split('/')
  const digest = top === 'blobs' ? `${algorithm}:${hex}` : `sha256:${path}`
  try {
    if (!isDigest(digest)) return await store.content.writeStream(stream)
    using ingest = await store.content.openIngest({ digest, size })
    if (ingest === undefined) return { digest, size }
    let skip = ingest.offset
    for await (const _ of ingest.replay()) {
      // Only for the digest: this part is here from an earlier attempt.
    }
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      const wanted = chunk.subarray(Math.min(skip, chunk.length))
      skip -= chunk.length - wanted.length
      if (wanted.length > 0) await ingest.write(wanted)
    }
    await ingest.commit()
    return { digest, size }
  } finally {
    stream.destroy()
  }
}

// A link in someone's folder could lead to any file of this machine; a fifo would never end.
function openPlain(path: string): number {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  if (fstatSync(fd).isFile()) return fd
  closeSync(fd)
  throw refused(path, 'is no plain file')
}

function refused(path: string, problem: string): TsrunError {
  return new TsrunError('invalid-argument', `its ${JSON.stringify(path)} ${problem}`)
}
