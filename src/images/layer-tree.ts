/** What a layer holds so far, as far as later entries depend on it: its folders, symbolic links and whiteouts. */
import { entryComponents } from '../archive/entry-path.ts'
import { TsrunError } from '../errors.ts'
import { LAYER_LIMITS } from './layer-limits.ts'

export interface FolderState {
  /** Nobody has named it: it exists because something inside was named. Its attributes come from below. */
  implied: boolean
  /** Nanoseconds; applied at the very end, because making its entries changes it. */
  mtime: bigint
  atime: bigint
}

const MAX_LINKS = 40 // path_resolution(7)
/** PATH_MAX with its NUL: what links on the way have made longer than that, no system call takes. */
const MAX_PATH = 4095

/**
 * All keys are paths below the layer's root without leading slash, as byte strings; the root is ''.
 * Only folders stand under their real path: links on the way are resolved inside the root, as chroot
 * would, so that `lib -> usr/lib` followed by `lib/x` makes `usr/lib/x` and never leaves the layer.
 */
export class LayerTree {
  readonly folders = new Map<string, FolderState>([['', impliedFolder()]])
  readonly #links = new Map<string, string>()
  readonly #whiteouts = new Set<string>()
  readonly #maxKept: number
  #kept = 0

  /** `maxKept`: characters of all names. */
  constructor(maxKept = LAYER_LIMITS.names) {
    this.#maxKept = maxKept
  }

  /**
   * The real path of the folder that `path` leads to. `make` is called for each folder on the way that
   * the layer does not have yet, from the outside in; it is noted as implied.
   */
  resolveFolder(path: string, make: (path: string) => void): string {
    const todo = path === '' ? [] : path.split('/').toReversed()
    let current = ''
    let followed = 0
    for (let part = todo.pop(); part !== undefined; part = todo.pop()) {
      if (part === '' || part === '.') continue
      if (part === '..') {
        current = current.slice(0, Math.max(current.lastIndexOf('/'), 0))
        continue
      }
      const next = join(current, part)
      const target = this.#links.get(next)
      if (target !== undefined) {
        if (++followed > MAX_LINKS)
          throw new TsrunError('invalid-argument', 'its folder is a loop of symbolic links')
        if (target.startsWith('/')) current = ''
        todo.push(...target.split('/').toReversed())
        continue
      }
      if (!this.folders.has(next)) {
        checkLength(next)
        make(next)
        this.addFolder(next, impliedFolder())
      }
      current = next
    }
    return current
  }

  /** {@link resolveFolder} for the folder of a name, with the name's last component kept as it is. */
  resolve(name: string, make: (path: string) => void): string {
    const components = entryComponents(name)
    const base = components.at(-1)
    if (base === undefined) return ''
    const path = join(this.resolveFolder(components.slice(0, -1).join('/'), make), base)
    checkLength(path)
    return path
  }

  addFolder(path: string, state: FolderState): void {
    this.#keep(path.length)
    this.folders.set(path, state)
  }

  noteLink(path: string, target: string): void {
    this.#keep(path.length + target.length)
    this.forget(path)
    this.#links.set(path, target)
  }

  /** Something that is neither folder nor link stands at `path` now. */
  forget(path: string): void {
    this.#links.delete(path)
    this.#whiteouts.delete(path)
  }

  noteWhiteout(path: string): void {
    this.#keep(path.length)
    this.#whiteouts.add(path)
  }

  hasWhiteout(path: string): boolean {
    return this.#whiteouts.has(path)
  }

  /** Where the symbolic link at `path` leads; undefined when there is none. */
  linkTarget(path: string): string | undefined {
    return this.#links.get(path)
  }

  // What is forgotten again still counts: real layers come nowhere near.
  #keep(characters: number): void {
    this.#kept += characters
    if (this.#kept > this.#maxKept)
      throw new TsrunError('invalid-argument', 'its layer has too many names of folders and links')
  }

  /** The folder at `path` and all below it are gone. */
  forgetFolder(path: string): void {
    const below = `${path}/`
    for (const map of [this.folders, this.#links, this.#whiteouts]) {
      for (const key of map.keys()) if (key === path || key.startsWith(below)) map.delete(key)
    }
  }
}

function checkLength(path: string): void {
  if (path.length > MAX_PATH)
    throw new TsrunError('invalid-argument', `it leads to a path of more than ${MAX_PATH} bytes`)
}

function join(folder: string, base: string): string {
  return folder === '' ? base : `${folder}/${base}`
}

function impliedFolder(): FolderState {
  return { implied: true, mtime: 0n, atime: 0n }
}
