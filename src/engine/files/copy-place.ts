/** The two ends of a copy, below a root that may be hostile: what is copied, and where it goes. */
import { fstatSync } from 'node:fs'
import type { TarEntry } from '../../archive/tar-entries.ts'
import { TsrunError } from '../../errors.ts'
import { openEntry, openInRoot } from '../../native/open-in-root.ts'
import type { OwnedFd } from '../../native/owned-fd.ts'
import { fromByteText } from '../../util/byte-text.ts'
import { type ReadTreeOptions, readTree } from './read-tree.ts'

/** A root with the words that tell users what is in it. */
export interface CopyRoot {
  readonly root: OwnedFd
  /** `in container "web"`, or empty for the host. */
  readonly where: string
}

export interface CopySource extends Disposable {
  readonly isDirectory: boolean
  /** Last component of its path; empty for a root. */
  readonly name: string
  /** The path ends with `/.`: what is in the folder is copied, not the folder. */
  readonly contentsOnly: boolean
  entries(top: string, options: Pick<ReadTreeOptions, 'onSkipped'>): AsyncGenerator<TarEntry>
}

/** What is at `path` (a byte string). A link at the end is copied itself, unless `follow`. */
export function openSource({ root, where }: CopyRoot, path: string, follow: boolean): CopySource {
  const { parent, base, isFolderPath, contentsOnly } = splitCopyPath(path)
  const above = openInRoot(root, parent, { follow: true })
  const found =
    follow || isFolderPath || base === '' || above === undefined
      ? openInRoot(root, path, { follow: true })
      : openEntry(above, base)
  if (found === undefined) {
    above?.close()
    throw notThere(path, where)
  }
  const isDirectory = fstatSync(found.fd).isDirectory()
  const from =
    follow || isDirectory || above === undefined ? undefined : { folder: above, name: base }
  return {
    isDirectory,
    name: base,
    contentsOnly: contentsOnly || (isDirectory && base === ''),
    entries: (top, options) => readTree(found, top, { ...options, from }),
    [Symbol.dispose]() {
      above?.close()
      found.close()
    },
  }
}

export type CopyTarget =
  | { readonly kind: 'folder'; readonly folder: OwnedFd }
  /** `name` in `folder` is made, or replaced when `exists`. */
  | {
      readonly kind: 'entry'
      readonly folder: OwnedFd
      readonly name: string
      readonly exists: boolean
    }
  /** A file that a link leads to: it is written where it is. */
  | { readonly kind: 'file'; readonly file: OwnedFd }

/** Where a copy to `path` (a byte string) goes. The descriptor in it is the caller's to close. */
export function openTarget(place: CopyRoot, path: string): CopyTarget {
  const { root, where } = place
  const { parent, base, isFolderPath } = splitCopyPath(path)
  const found = openInRoot(root, path, { follow: true })
  if (found !== undefined && fstatSync(found.fd).isDirectory())
    return { kind: 'folder', folder: found }
  using closing = found
  if (isFolderPath || base === '') throw noFolder(path, where, found !== undefined)
  const folder = openInRoot(root, parent, { follow: true })
  if (folder === undefined || !fstatSync(folder.fd).isDirectory()) {
    folder?.close()
    throw notThere(parent === '' ? '/' : parent, where)
  }
  using own = openEntry(folder, base)
  if (own === undefined || !fstatSync(own.fd).isSymbolicLink())
    return { kind: 'entry', folder, name: base, exists: own !== undefined }
  folder.close()
  const file = closing === undefined ? undefined : openInRoot(root, path, { follow: true })
  if (file !== undefined && fstatSync(file.fd).isFile()) return { kind: 'file', file }
  file?.close()
  throw new TsrunError(
    'failed-precondition',
    `cannot copy to "${fromByteText(path)}"${where}: it is a link to no regular file`,
  )
}

interface CopyPath {
  readonly parent: string
  readonly base: string
  /** Ends with `/` or `/.`: only a folder will do. */
  readonly isFolderPath: boolean
  readonly contentsOnly: boolean
}

function splitCopyPath(path: string): CopyPath {
  const contentsOnly = /(^|\/)\.$/.test(path)
  const plain = path.replace(/(\/+\.)*\/*$/, '')
  const slash = plain.lastIndexOf('/')
  const base = plain.slice(slash + 1)
  const isDots = base === '.' || base === '..'
  return {
    parent: isDots ? plain : plain.slice(0, Math.max(slash, 0)),
    base: isDots ? '' : base,
    isFolderPath: contentsOnly || path.endsWith('/') || isDots,
    contentsOnly,
  }
}

function notThere(path: string, where: string): TsrunError {
  return new TsrunError('not-found', `could not find the file ${fromByteText(path)}${where}`, {
    hint: 'look at its name with ls; paths in a container begin at its root',
  })
}

function noFolder(path: string, where: string, exists: boolean): TsrunError {
  return exists
    ? new TsrunError(
        'failed-precondition',
        `cannot copy to "${fromByteText(path)}"${where}: it is no directory`,
      )
    : new TsrunError(
        'not-found',
        `cannot copy to "${fromByteText(path)}"${where}: the directory does not exist`,
      )
}
