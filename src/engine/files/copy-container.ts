/** `cp`: files between a container and the host or a tar stream, by docker's rules for what goes where. */
import { constants, fchmodSync, openSync } from 'node:fs'
import { resolve } from 'node:path'
import { inflate } from '../../archive/compression.ts'
import { readTarEntries, type TarEntry } from '../../archive/tar-entries.ts'
import { writeTar } from '../../archive/tar-writer.ts'
import { TsrunError } from '../../errors.ts'
import { maxInflatedOf } from '../../images/max-inflated.ts'
import { writeStreamedFile } from '../../images/streamed-file.ts'
import { OwnedFd } from '../../native/owned-fd.ts'
import { createZstdInflate } from '../../native/zstd.ts'
import { fromByteText, toByteText } from '../../util/byte-text.ts'
import type { Engine } from '../engine.ts'
import { type ContainerRoot, openContainerRoot } from './container-root.ts'
import { type CopyRoot, type CopySource, openSource, openTarget } from './copy-place.ts'
import { ownerInside, ownerOutside, withOwners } from './shift-ids.ts'
import { openToOverwrite, type WriteTreeOptions, writeTree } from './write-tree.ts'

export interface CopyOptions {
  /** Keep owners; into a container: give all to its user. */
  readonly archive: boolean
  /** Follow a link at the end of the source's path. */
  readonly followLink: boolean
  /** Hears of what was left out. */
  readonly onSkipped: (path: string, reason: string) => void
}

/** Copies from the container to the host; resolves to the bytes that its tar would have. */
export async function copyFromContainer(
  engine: Engine,
  id: string,
  from: string,
  to: string,
  options: CopyOptions,
): Promise<number> {
  using container = await openContainerRoot(engine, id)
  using host = openHost()
  using source = sourceIn(container, from, options)
  const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  return await copy(source, { root: host, where: '' }, hostPath(to), {
    ...options,
    // What somebody in a container has made gets no power on the host by being copied.
    privileged: options.archive,
    owner: options.archive ? undefined : own,
  })
}

/** The tar of what is at `from` in the container. */
export async function* tarFromContainer(
  engine: Engine,
  id: string,
  from: string,
  options: CopyOptions,
): AsyncGenerator<Buffer> {
  using container = await openContainerRoot(engine, id)
  using source = sourceIn(container, from, options)
  yield* writeTar(source.entries(source.contentsOnly ? '.' : source.name, options))
}

/** Copies from the host to the container; resolves to the bytes that its tar would have. */
export async function copyToContainer(
  engine: Engine,
  id: string,
  from: string,
  to: string,
  options: CopyOptions,
): Promise<number> {
  using host = openHost()
  using source = openSource({ root: host, where: '' }, hostPath(from), options.followLink)
  using container = await openContainerRoot(engine, id)
  requireWritable(container)
  return await copy(
    shifted(source, ownerOutside, container),
    inContainer(container),
    toByteText(to),
    {
      ...options,
      privileged: true,
      owner: options.archive ? userOf(container) : undefined,
    },
  )
}

/** Unpacks a tar, also a compressed one, into a folder of the container. */
export async function tarToContainer(
  engine: Engine,
  id: string,
  tar: AsyncIterable<Buffer>,
  to: string,
  options: CopyOptions,
): Promise<void> {
  using container = await openContainerRoot(engine, id)
  requireWritable(container)
  const target = openTarget(inContainer(container), toByteText(to))
  using opened = target.kind === 'file' ? target.file : target.folder
  if (target.kind !== 'folder')
    throw new TsrunError(
      'invalid-argument',
      `cannot unpack to "${container.record.name}:${to}": it must be a directory`,
    )
  const entries = readTarEntries(inflate(tar, createZstdInflate, { maximum: maxInflatedOf() }))
  await writeTree(opened, withOwners(entries, ownerOutside, container.seenIds), {
    onSkipped: options.onSkipped,
    privileged: true,
    owner: options.archive ? userOf(container) : undefined,
  })
}

async function copy(
  source: CopySource,
  to: CopyRoot,
  path: string,
  options: WriteTreeOptions,
): Promise<number> {
  const target = openTarget(to, path)
  using opened = target.kind === 'file' ? target.file : target.folder
  if (source.isDirectory && (target.kind === 'file' || (target.kind === 'entry' && target.exists)))
    throw new TsrunError(
      'failed-precondition',
      `cannot copy to "${fromByteText(path)}"${to.where}: a directory cannot replace a file`,
    )
  const counter = new TarSize()
  const count = (top: string) => counter.of(source.entries(top, options))
  if (target.kind === 'file') await overwrite(target.file, count('file'))
  else {
    const inFolder = source.contentsOnly ? '' : source.name
    await writeTree(opened, count(target.kind === 'entry' ? target.name : inFolder), options)
  }
  return counter.bytes
}

async function overwrite(place: OwnedFd, entries: AsyncIterable<TarEntry>): Promise<void> {
  for await (const entry of entries) {
    if (entry.type !== 'file') continue
    using file = openToOverwrite(place)
    await writeStreamedFile(file.fd, entry)
    fchmodSync(file.fd, entry.mode & 0o777)
  }
}

/** Counts as docker does: headers and padding too. */
class TarSize {
  bytes = 1024

  async *of(entries: AsyncIterable<TarEntry>): AsyncGenerator<TarEntry> {
    for await (const entry of entries) {
      this.bytes += 512 + Math.ceil(entry.size / 512) * 512
      yield entry
    }
  }
}

function sourceIn(container: ContainerRoot, from: string, options: CopyOptions): CopySource {
  const source = openSource(inContainer(container), toByteText(from), options.followLink)
  return shifted(source, ownerInside, container)
}

function shifted(
  source: CopySource,
  change: typeof ownerInside,
  { seenIds }: ContainerRoot,
): CopySource {
  if (seenIds === undefined) return source
  return {
    ...source,
    entries: (...words) => withOwners(source.entries(...words), change, seenIds),
    [Symbol.dispose]: () => source[Symbol.dispose](),
  }
}

function inContainer({ root, record }: ContainerRoot): CopyRoot {
  return { root, where: ` in container ${record.name}` }
}

function openHost(): OwnedFd {
  return new OwnedFd(openSync('/', constants.O_RDONLY | constants.O_DIRECTORY))
}

// A slash and a dot at the end mean something; resolve() takes them away.
function hostPath(path: string): string {
  const end = /\/+\.?$/.exec(path)?.[0] ?? (/(^|\/)\.$/.test(path) ? '/.' : '')
  return toByteText(`${resolve(path)}${end}`)
}

function userOf({ config, seenIds }: ContainerRoot): {
  readonly uid: number
  readonly gid: number
} {
  const { uid = 0, gid = 0 } = config.process?.user ?? {}
  return ownerOutside({ uid, gid }, seenIds)
}

function requireWritable({ config, record }: ContainerRoot): void {
  if (config.root?.readonly !== true) return
  throw new TsrunError(
    'failed-precondition',
    `cannot copy to container "${record.name}": its root is read-only`,
  )
}
