/** Two folders for tests of COPY and ADD, a context and a root, with their files as objects. */
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { copyIntoRoot } from '../../src/engine/build/copy-into-root.ts'
import type { CopyRequest } from '../../src/engine/build/copy-request.ts'
import { openFolder } from '../../src/native/open-folder.ts'
import { createTempDir } from './temp-dir.ts'

/** Files of a folder: a text is a file's, an object a folder, `-> x` a link. */
export interface Files {
  readonly [name: string]: string | Files
}

/** Makes `files` in a folder. */
export function make(where: string, files: Files): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(where, name)
    if (typeof content !== 'string') {
      mkdirSync(path, { recursive: true })
      make(path, content)
    } else if (content.startsWith('-> ')) symlinkSync(content.slice(3), path)
    else writeFileSync(path, content)
  }
}

/** What {@link make} would make a folder of. */
export function filesOf(where: string): Files {
  const names = readdirSync(where).sort()
  return Object.fromEntries(
    names.map((name) => {
      const path = join(where, name)
      const stats = lstatSync(path)
      if (stats.isSymbolicLink()) return [name, `-> ${readlinkSync(path)}`]
      return [name, stats.isDirectory() ? filesOf(path) : readFileSync(path, 'utf8')]
    }),
  )
}

/** A request for a copy from `from`, by default the context. */
export type Wanted = Partial<Omit<CopyRequest, 'folder' | 'root' | 'patterns'>> & {
  readonly from?: string
}

/** Gives a new context and a new root to each test. */
export class CopyFolders implements Disposable {
  readonly #folder = createTempDir('tsrun-copy-')
  #count = 0

  get path(): string {
    return this.#folder.path
  }

  get context(): string {
    return join(this.path, String(this.#count), 'context')
  }

  get root(): string {
    return join(this.path, String(this.#count), 'root')
  }

  renew(): void {
    this.#count++
    for (const path of [this.context, this.root]) mkdirSync(path, { recursive: true })
  }

  /** `COPY <words>`: the last one is the destination. */
  async copy(words: string, wanted: Wanted = {}): Promise<void> {
    const all = words.split(' ')
    using source = openFolder(wanted.from ?? this.context)
    using target = openFolder(this.root)
    await copyIntoRoot({
      kind: 'copy',
      folderName: 'the build context',
      ignore: undefined,
      inline: [],
      excludes: [],
      parents: false,
      workingDirectory: '/',
      destination: all.at(-1) ?? '',
      chown: undefined,
      keepOwners: false,
      chmod: undefined,
      latestTime: undefined,
      ...wanted,
      folder: source,
      root: target,
      patterns: all.slice(0, -1),
    })
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]()
  }
}
