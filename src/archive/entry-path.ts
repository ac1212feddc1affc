/** Names of tar entries as paths below a layer's root, and what whiteout names mean (image-spec layer.md). */
import { TsrunError } from '../errors.ts'

const MAX_NAME = 255
const MAX_PATH = 4095
const WHITEOUT_PREFIX = '.wh.'
const WHITEOUT_META_PREFIX = '.wh..wh.'
const OPAQUE_NAME = '.wh..wh..opq'

export interface EntryPath {
  /** Folder inside the root; empty for the root itself. */
  readonly parent: string
  /** Last component; empty when the entry is the root. */
  readonly base: string
}

/**
 * The components of a tar name: leading slashes and `.` are dropped, as every tar does with absolute
 * names. Throws `invalid-argument` for `..`, NUL bytes and what is too long for the kernel.
 */
export function entryComponents(name: string): readonly string[] {
  if (name.includes('\0')) refuse(name, 'it has a NUL byte')
  if (name.length > MAX_PATH) refuse(name, `it is longer than ${MAX_PATH} bytes`)
  const components = name.split('/').filter((part) => part !== '' && part !== '.')
  for (const part of components) {
    if (part === '..') refuse(name, 'it climbs up by ".."')
    if (part.length > MAX_NAME) refuse(name, `a component is longer than ${MAX_NAME} bytes`)
  }
  return components
}

/** {@link entryComponents} as parent and last component. */
export function parseEntryPath(name: string): EntryPath {
  const components = entryComponents(name)
  return { parent: components.slice(0, -1).join('/'), base: components.at(-1) ?? '' }
}

export type Whiteout =
  /** Hides `name` of the layers below. */
  | { readonly kind: 'file'; readonly name: string }
  /** Hides all that the layers below have in this folder. */
  | { readonly kind: 'opaque' }
  /** Bookkeeping of AUFS (`.wh..wh.plnk`): not content. */
  | { readonly kind: 'metadata' }

/** What the last component of a name says as a whiteout; undefined when it is an ordinary name. */
export function whiteoutOf(base: string): Whiteout | undefined {
  if (!base.startsWith(WHITEOUT_PREFIX)) return undefined
  if (base === OPAQUE_NAME) return { kind: 'opaque' }
  if (base.startsWith(WHITEOUT_META_PREFIX)) return { kind: 'metadata' }
  const name = base.slice(WHITEOUT_PREFIX.length)
  if (name === '' || name === '.' || name === '..') refuse(base, 'it hides no file')
  return { kind: 'file', name }
}

function refuse(name: string, problem: string): never {
  const shown = name.length > 200 ? `${name.slice(0, 200)}…` : name
  throw new TsrunError(
    'invalid-argument',
    `cannot use tar entry ${JSON.stringify(shown)}: ${problem}`,
  )
}
