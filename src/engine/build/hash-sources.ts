/** A digest of what COPY and ADD would copy, by which a build finds the layer it has already made of it. */
import { createHash, type Hash } from 'node:crypto'
import { fstatSync } from 'node:fs'
import type { TarEntry } from '../../archive/tar-entries.ts'
import type { OwnedFd } from '../../native/owned-fd.ts'
import { toByteText } from '../../util/byte-text.ts'
import type { CopySources } from './copy-request.ts'
import { downloadOf } from './downloads.ts'
import { type CopySource, findSources } from './find-sources.ts'
import { resolvePlace } from './resolve-place.ts'
import { keptParents, sourceEntries } from './source-entries.ts'

/**
 * The same for the same sources on any machine: names, kinds, modes, owners where they are kept, link targets,
 * xattrs and content, not times. Throws as copying would when a path is not there.
 */
export async function hashSources(sources: CopySources): Promise<string> {
  const hash = createHash('sha256')
  for (const [index, word] of sources.patterns.entries()) {
    record(hash, ['source', String(index)])
    const remote = await downloadOf(sources, word)
    if (remote !== undefined) {
      record(hash, ['download', remote.name, remote.digest])
      continue
    }
    for (const source of findSources(sources, word)) {
      using _ = source
      await addSource(hash, sources, source)
    }
  }
  for (const { name, content } of sources.inline) record(hash, ['inline', name, content])
  return `sha256:${hash.digest('hex')}`
}

/**
 * The same for what is at `path` of the folder, as a bind mount shows it: the path is no glob and nothing is left
 * out; undefined when there is nothing.
 */
export async function hashPath(folder: OwnedFd, path: string): Promise<string | undefined> {
  const named = toByteText(path)
  using place = resolvePlace(folder, named)
  if (place === undefined) return undefined
  const isFolder = fstatSync(place.fd.fd).isDirectory()
  const hash = createHash('sha256')
  const sources = { ...WHOLE, folder, patterns: [path] }
  await addSource(hash, sources, { ...place, named, pivot: 0, isFolder })
  return `sha256:${hash.digest('hex')}`
}

const WHOLE = {
  kind: 'copy',
  folderName: 'the build context',
  ignore: undefined,
  inline: [],
  excludes: [],
  parents: false,
  keepOwners: true,
} as const

async function addSource(hash: Hash, sources: CopySources, source: CopySource): Promise<void> {
  record(hash, ['named', source.named, String(source.pivot)])
  const addEntry = async (entry: TarEntry) => {
    if (sources.keepOwners) record(hash, ['owner', String(entry.uid), String(entry.gid)])
    await add(hash, entry)
  }
  if (sources.parents) {
    for await (const { path, entry } of keptParents(sources, source)) {
      record(hash, ['parent', path])
      await addEntry(entry)
    }
  }
  for await (const entry of sourceEntries(sources, source, ignoreSkipped)) await addEntry(entry)
}

// Whoever copies says what cannot be copied.
function ignoreSkipped(): void {}

async function add(hash: Hash, entry: TarEntry): Promise<void> {
  const { type, name, linkName, mode, deviceMajor, deviceMinor, xattrs } = entry
  const device = [deviceMajor, deviceMinor].map(String)
  record(hash, [type, name, linkName, mode.toString(8), ...device])
  for (const [key, value] of xattrs) record(hash, ['xattr', key, value.toString('latin1')])
  if (type !== 'file') return
  const content = createHash('sha256')
  const pieces = entry.sparse?.pieces ?? []
  for (const { offset, length } of pieces) record(content, [String(offset), String(length)])
  for await (const chunk of entry.content) content.update(chunk)
  record(hash, ['content', String(entry.sparse?.size ?? entry.size), content.digest('hex')])
}

// Each part with its length before it: no two lists give the same bytes.
function record(hash: Hash, parts: readonly string[]): void {
  const texts = parts.map((part) => `${Buffer.byteLength(part)}:${part}`)
  hash.update(`${parts.length} ${texts.join('')}\n`)
}
