/** What stands where in a root filesystem that we are writing into: what was there, and what we have asked for since. */
import { fstatSync, readlinkSync } from 'node:fs'
import { TsrunError } from '../../errors.ts'
import { entryPath, openEntry, openInRoot } from '../../native/open-in-root.ts'
import type { OwnedFd } from '../../native/owned-fd.ts'
import { fromByteText } from '../../util/byte-text.ts'
import { splitPath } from '../../util/split-path.ts'

export type RootNode =
  | { readonly kind: 'none' | 'file' }
  /** `isNew`: we made it, so it has nothing but what we put there. */
  | { readonly kind: 'folder'; readonly isNew: boolean }
  | { readonly kind: 'link'; readonly target: string }

const NONE: RootNode = { kind: 'none' }
const MAX_LINKS = 40 // path_resolution(7)

/**
 * All paths are byte strings below the root without leading slash; the root is ''. Writes run later, in
 * batches, so the disk is asked only for what we have not touched. Nobody else may write into the root.
 */
export class RootModel implements Disposable {
  readonly #root: OwnedFd
  readonly #nodes = new Map<string, RootNode>([['', { kind: 'folder', isNew: false }]])
  /** What was noted, and so is not the root's own any more. */
  readonly #ours = new Set<string>()
  /** The folder that was asked about last. */
  #open: { readonly path: string; readonly folder: OwnedFd | undefined } | undefined

  constructor(root: OwnedFd) {
    this.#root = root
  }

  /** What stands at a real path. */
  at(path: string): RootNode {
    const known = this.#nodes.get(path)
    if (known !== undefined) return known
    const [above, base] = splitPath(path)
    const folder = this.at(above)
    const node = folder.kind !== 'folder' || folder.isNew ? NONE : this.#look(above, base)
    this.#nodes.set(path, node)
    return node
  }

  /** Something stands at `path` now; of a folder that stood there, nothing is left. */
  note(path: string, node: RootNode): void {
    if (this.#nodes.get(path)?.kind === 'folder') {
      const below = `${path}/`
      for (const key of this.#nodes.keys()) {
        if (!key.startsWith(below)) continue
        this.#nodes.delete(key)
        this.#ours.delete(key)
      }
      this[Symbol.dispose]()
    }
    this.#nodes.set(path, node)
    this.#ours.add(path)
  }

  /** Whether we have put something there. */
  isOurs(path: string): boolean {
    return this.#ours.has(path)
  }

  /**
   * The real path of the folder that `path` leads to, links followed inside the root. `make` is called for each
   * folder on the way that is not there, from the outside in, and must make and note it; `replaces` says whether a
   * link or file of the root is to be taken for nothing.
   */
  resolveFolder(path: string, make: (path: string) => void, replaces = false): string {
    const todo = path.split('/').reverse()
    let current = ''
    let followed = 0
    for (let part = todo.pop(); part !== undefined; part = todo.pop()) {
      if (part === '' || part === '.') continue
      if (part === '..') {
        current = current.slice(0, Math.max(current.lastIndexOf('/'), 0))
        continue
      }
      const next = current === '' ? part : `${current}/${part}`
      const there = this.at(next)
      const node = replaces && there.kind !== 'folder' && !this.isOurs(next) ? NONE : there
      if (node.kind === 'link') {
        if (++followed > MAX_LINKS) throw refused(path, 'its symbolic links lead in a circle')
        if (node.target.startsWith('/')) current = ''
        todo.push(...node.target.split('/').reverse())
        continue
      }
      if (node.kind === 'file') throw refused(path, `"/${fromByteText(next)}" is no directory`)
      if (node.kind === 'none') make(next)
      current = next
    }
    return current
  }

  /** As {@link at}, but of what a link at the end leads to. */
  followed(path: string): RootNode {
    const node = this.at(path)
    if (node.kind !== 'link') return node
    using place = openInRoot(this.#root, path, { follow: true })
    if (place === undefined) return NONE
    return fstatSync(place.fd).isDirectory() ? { kind: 'folder', isNew: false } : { kind: 'file' }
  }

  [Symbol.dispose](): void {
    this.#open?.folder?.close()
    this.#open = undefined
  }

  #look(above: string, base: string): RootNode {
    const folder = this.#folder(above)
    using place = folder === undefined ? undefined : openEntry(folder, base)
    if (folder === undefined || place === undefined) return NONE
    const stats = fstatSync(place.fd)
    if (stats.isDirectory()) return { kind: 'folder', isNew: false }
    if (!stats.isSymbolicLink()) return { kind: 'file' }
    return { kind: 'link', target: readlinkSync(entryPath(folder, base), 'latin1') }
  }

  #folder(path: string): OwnedFd | undefined {
    if (this.#open?.path === path) return this.#open.folder
    this[Symbol.dispose]()
    const folder = openInRoot(this.#root, path, { follow: false })
    this.#open = { path, folder }
    return folder
  }
}

function refused(path: string, problem: string): TsrunError {
  return new TsrunError(
    'failed-precondition',
    `cannot write to "/${fromByteText(path)}": ${problem}`,
  )
}
