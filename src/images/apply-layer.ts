/** Applies the entries of a layer's tar to an empty folder, in overlayfs form (image-spec layer.md). */
import { whiteoutOf } from '../archive/entry-path.ts'
import { readTarEntries, type TarEntry } from '../archive/tar-entries.ts'
import { errnoCodeOf, SyscallError, TsrunError } from '../errors.ts'
import { isHostRoot } from '../util/host-user.ts'
import { splitPath } from '../util/split-path.ts'
import { LAYER_LIMITS, type LayerLimits } from './layer-limits.ts'
import { LayerTree } from './layer-tree.ts'
import { LayerWriter, type PendingLink } from './layer-writer.ts'

export interface ApplyOptions {
  /** The layer's folder: empty, and writable by nobody else. */
  readonly folder: string
  /** The lowest layer: it has nothing below it to hide. */
  readonly isBase: boolean
  readonly overlayXattrs: 'trusted' | 'user'
  readonly limits?: LayerLimits | undefined
  readonly signal?: AbortSignal | undefined
}

/** What is left to do when the layers below are there. */
export interface AppliedLayer {
  /** Folders that only exist for what they hold, outer ones first; '' when it is the root. */
  readonly impliedFolders: readonly string[]
  readonly pendingLinks: readonly PendingLink[]
  /** Bytes of file content. */
  readonly size: number
}

/** Unpacks the plain tar. Nothing outside `folder` is touched, whatever the tar says. */
export async function applyLayer(
  plain: AsyncIterable<Buffer>,
  options: ApplyOptions,
): Promise<AppliedLayer> {
  const { limits = LAYER_LIMITS } = options
  const tree = new LayerTree(limits.names)
  using writer = new LayerWriter({
    folder: options.folder,
    tree,
    overlayXattrs: options.overlayXattrs,
    maxEntries: limits.entries,
  })
  try {
    for await (const entry of readTarEntries(plain)) {
      options.signal?.throwIfAborted()
      await applyNamed(entry, tree, writer, options)
      await writer.continue()
    }
    await writer.finish()
  } catch (error) {
    await writer.abandon()
    throw layerError(error)
  }
  return {
    impliedFolders: [...tree.folders].filter(([, { implied }]) => implied).map(([path]) => path),
    pendingLinks: writer.pendingLinks,
    size: writer.size,
  }
}

async function applyNamed(
  entry: TarEntry,
  tree: LayerTree,
  writer: LayerWriter,
  options: ApplyOptions,
): Promise<void> {
  try {
    await applyEntry(entry, tree, writer, options)
  } catch (cause) {
    if (!(cause instanceof TsrunError) || cause.message.startsWith('cannot use tar entry'))
      throw cause
    throw new TsrunError(cause.kind, `cannot use tar entry ${JSON.stringify(entry.name)}`, {
      cause,
    })
  }
}

async function applyEntry(
  entry: TarEntry,
  tree: LayerTree,
  writer: LayerWriter,
  options: ApplyOptions,
): Promise<void> {
  const path = tree.resolve(entry.name, writer.impliedFolder)
  const [folder, base] = splitPath(path)
  const whiteout = whiteoutOf(base)
  if (whiteout !== undefined) {
    if (options.isBase || whiteout.kind === 'metadata') return
    if (whiteout.kind === 'opaque') return writer.opaque(folder)
    return writer.whiteout(folder === '' ? whiteout.name : `${folder}/${whiteout.name}`)
  }
  switch (entry.type) {
    case 'directory':
      return writer.folder(path, entry)
    case 'file':
      return await writer.file(path, entry)
    case 'symlink':
      return await writer.symlink(path, entry)
    case 'link':
      return await writer.hardLink(path, tree.resolve(entry.linkName, writer.impliedFolder))
    case 'character-device':
    case 'block-device':
    case 'fifo':
      return await writer.device(path, entry, entry.type)
  }
}

// The batch names the entry as the origin of the system call that failed.
function layerError(error: unknown): unknown {
  const errno = errnoCodeOf(error)
  if (error instanceof TsrunError || errno === undefined) return error
  const isFull = errno === 'ENOSPC' || errno === 'EDQUOT'
  const what =
    error instanceof SyscallError && error.path !== undefined
      ? `tar entry ${JSON.stringify(error.path)}`
      : 'the layer'
  const call = error instanceof SyscallError ? `${error.syscall}: ` : ''
  return new TsrunError(
    isFull ? 'failed-precondition' : 'internal',
    `cannot write ${what}: ${call}${explain(errno)}`,
    {
      cause: error,
      errno,
      ...hintFor(errno),
    },
  )
}

function explain(errno: string): string {
  if (errno === 'ENOSPC') return 'no space left on the device'
  if (errno === 'EEXIST') return 'a part of its name is a file (EEXIST)'
  return errno
}

function hintFor(errno: string): { hint?: string } {
  if (errno === 'ENOSPC' || errno === 'EDQUOT')
    return { hint: 'free space or choose another --data-root; what was finished is kept' }
  if (errno === 'EPERM') return { hint: 'unpacking needs root: owners, devices and whiteouts' }
  if (errno === 'EINVAL' && !isHostRoot())
    return {
      hint: 'its owner may be none of your ids: as root, give this user more with usermod --add-subuids and --add-subgids (100000-165535 are enough for most images)',
    }
  return {}
}
