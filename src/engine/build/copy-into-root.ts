/** COPY and ADD: what the build context, a stage or the Dockerfile itself has goes into a root filesystem. */
import { posix } from 'node:path'
import type { TarEntry } from '../../archive/tar-entries.ts'
import { parseModeChange } from '../../dockerfile/file-mode.ts'
import { errnoCodeOf, SyscallError, TsrunError } from '../../errors.ts'
import { fromByteText, toByteText } from '../../util/byte-text.ts'
import { splitPath } from '../../util/split-path.ts'
import { resolveOwner } from './copy-owner.ts'
import type { CopyRequest, InlineFile } from './copy-request.ts'
import { type DownloadedFile, downloadOf } from './downloads.ts'
import { type CopySource, findSources } from './find-sources.ts'
import { readFrom } from './read-from.ts'
import { RootWriter } from './root-writer.ts'
import { keptParents, keptPath, sourceEntries } from './source-entries.ts'
import { isArchive, unpackSource } from './unpack-source.ts'

/** Copies all of the request, or throws with part of it copied: the root is then of no use. */
export async function copyIntoRoot(request: CopyRequest): Promise<void> {
  const target = targetOf(request)
  using writer = new RootWriter({
    root: request.root,
    owner: request.chown === undefined ? undefined : resolveOwner(request.root, request.chown),
    keepOwners: request.keepOwners,
    mode: request.chmod === undefined ? undefined : parseModeChange(request.chmod),
    latestTime: request.latestTime,
    blind: request.link === true,
    onSkipped: skippedBy(request),
  })
  try {
    for (const word of request.patterns) await copyWord(request, word, target, writer)
    for (const file of request.inline) await copyInline(request, file, target, writer)
    await writer.finish()
  } catch (error) {
    await writer.abandon()
    throw copyError(request, error)
  }
}

interface Target {
  /** A byte string below the root. */
  readonly path: string
  /** Written as a folder: with a slash at its end, or `.`. */
  readonly isFolder: boolean
}

function targetOf({ destination, workingDirectory, patterns, inline }: CopyRequest): Target {
  if (destination.includes('\0'))
    throw new TsrunError(
      'invalid-argument',
      `cannot copy to ${JSON.stringify(destination)}: it has a NUL byte`,
    )
  const isFolder = destination === '' || /(^|\/)\.{0,2}$/.test(destination)
  if (patterns.length + inline.length > 1 && !isFolder)
    throw new TsrunError(
      'invalid-argument',
      `cannot copy several sources to ${JSON.stringify(destination)}: it must be a folder`,
      { hint: `write it as ${JSON.stringify(`${destination}/`)}` },
    )
  const absolute = posix.resolve('/', workingDirectory, destination)
  return { path: toByteText(absolute.slice(1)), isFolder }
}

function skippedBy(request: CopyRequest) {
  return (path: string, reason: string) =>
    request.warn?.(`"${fromByteText(path)}" is not copied: ${reason}`)
}

async function copyWord(
  request: CopyRequest,
  word: string,
  target: Target,
  writer: RootWriter,
): Promise<void> {
  const remote = await downloadOf(request, word)
  if (remote !== undefined) return await copyDownload(remote, target, writer)
  for (const source of findSources(request, word)) {
    using _ = source
    await copySource(request, source, target, writer)
  }
}

async function copyDownload(
  { file, name, size, lastModified }: DownloadedFile,
  target: Target,
  writer: RootWriter,
): Promise<void> {
  const bytes = toByteText(name)
  await writer.write(await filePlace(target, bytes, writer), {
    ...PLAIN,
    name: bytes,
    mode: 0o600,
    size,
    // A server that says nothing must not make each build another one.
    mtime: BigInt(lastModified?.getTime() ?? 0) * 1_000_000n,
    content: readFrom(file),
  })
}

async function copySource(
  request: CopyRequest,
  source: CopySource,
  target: Target,
  writer: RootWriter,
): Promise<void> {
  if (request.kind === 'add' && (await isArchive(source)))
    return await unpackSource(source, writer.makeFolder(target.path), writer)
  const top = await placeOf(request, source, target, writer)
  for await (const entry of sourceEntries(request, source, skippedBy(request)))
    if (entry.name !== '' || !source.isFolder || request.parents)
      await writer.write(join(top, entry.name), placed(entry, top))
}

async function placeOf(
  request: CopyRequest,
  source: CopySource,
  target: Target,
  writer: RootWriter,
): Promise<string> {
  if (request.parents) return await makeParents(request, source, target, writer)
  const [, base] = splitPath(source.named)
  if (!source.isFolder) return await filePlace(target, base, writer)
  if ((await writer.at(target.path)) !== 'file') return writer.makeFolder(target.path)
  throw new TsrunError(
    'failed-precondition',
    `cannot copy a folder to "/${fromByteText(target.path)}": a file stands there`,
  )
}

/** The folders of the source's path, with the attributes that they have there, where they are not there yet. */
async function makeParents(
  request: CopyRequest,
  source: CopySource,
  target: Target,
  writer: RootWriter,
): Promise<string> {
  for await (const { path, entry } of keptParents(request, source))
    await writer.write(join(target.path, path), entry, { keepsFolder: true })
  return join(target.path, keptPath(source))
}

// Hard links name another entry of the same source.
function placed(entry: TarEntry, top: string): TarEntry {
  return entry.type === 'link' ? { ...entry, linkName: join(top, entry.linkName) } : entry
}

async function filePlace({ path, isFolder }: Target, base: string, writer: RootWriter) {
  if (isFolder) return join(writer.makeFolder(path), base)
  return (await writer.at(path)) === 'folder' ? join(path, base) : path
}

async function copyInline(
  request: CopyRequest,
  { name, content }: InlineFile,
  target: Target,
  writer: RootWriter,
): Promise<void> {
  const bytes = Buffer.from(content)
  const place = await filePlace(target, toByteText(name), writer)
  await writer.write(place, {
    ...PLAIN,
    name: toByteText(name),
    mode: 0o644,
    size: bytes.length,
    mtime: request.latestTime ?? BigInt(Date.now()) * 1_000_000n,
    content: once(bytes),
  })
}

/** What entries that we make ourselves have in common. */
const PLAIN = {
  type: 'file',
  linkName: '',
  uid: 0,
  gid: 0,
  atime: undefined,
  deviceMajor: 0,
  deviceMinor: 0,
  xattrs: [],
  sparse: undefined,
} as const

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
}

function join(folder: string, path: string): string {
  return folder === '' || path === '' ? folder + path : `${folder}/${path}`
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'no space is left',
  EDQUOT: 'a quota is used up',
  EROFS: 'its file system is read-only',
  EISDIR: 'a directory stands there',
  EACCES: 'it may not be read or written (EACCES)',
  EPERM: 'it is not permitted (EPERM)',
  ENAMETOOLONG: 'its name or path is too long',
}

// A batch names the entry whose system call failed.
function copyError(request: CopyRequest, error: unknown): unknown {
  const errno = errnoCodeOf(error)
  if (error instanceof TsrunError || errno === undefined) return error
  const named = error instanceof SyscallError ? error.path : undefined
  const what = named === undefined ? `from ${request.folderName}` : `to "/${fromByteText(named)}"`
  const isFull = errno === 'ENOSPC' || errno === 'EDQUOT'
  return new TsrunError(
    isFull || errno === 'EROFS' ? 'failed-precondition' : 'internal',
    `cannot copy ${what}: ${REASONS[errno] ?? errno}`,
    { cause: error, errno, ...(isFull ? { hint: 'free space on the data root' } : {}) },
  )
}
