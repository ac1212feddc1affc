/** What the words of COPY and ADD name below their folder: paths and globs, less what .dockerignore leaves out. */
import { constants, type Dirent, fstatSync, openSync, readdirSync } from 'node:fs'
import { type PathFilter, parseIgnoreFile } from '../../dockerfile/ignore-file.ts'
import {
  compilePattern,
  isGlob,
  type PathPattern,
  PatternError,
} from '../../dockerfile/path-pattern.ts'
import { errnoCodeOf, TsrunError } from '../../errors.ts'
import { selfPath } from '../../native/open-in-root.ts'
import { OwnedFd } from '../../native/owned-fd.ts'
import { fromByteText, toByteText } from '../../util/byte-text.ts'
import type { CopySources } from './copy-request.ts'
import { type Place, resolvePlace } from './resolve-place.ts'

/** One file or folder to copy. */
export interface CopySource extends Place {
  /** The path as it was named or matched, links not followed: its last component is the name of a copy. */
  readonly named: string
  /** With `--parents`, how many components at the start of `named` are not kept: those before `/./`. */
  readonly pivot: number
  readonly isFolder: boolean
}

interface Lookup {
  readonly sources: CopySources
  readonly filter: PathFilter
}

/** The filter of the context's .dockerignore; everything is in where there is none. */
export function filterOf({ ignore }: Pick<CopySources, 'ignore'>): PathFilter {
  return parseIgnoreFile(ignore?.text ?? '', ignore?.path ?? '')
}

/**
 * The sources of one word, by name, opened; each is to be disposed. A glob may match nothing, as docker has it;
 * a path must be there.
 */
export function* findSources(sources: CopySources, word: string): Generator<CopySource> {
  const lookup = { sources, filter: filterOf(sources) }
  const [base, rest] = splitPivot(word, sources.parents)
  const names = componentsOf(`${base}/${rest}`, word)
  const pivot = componentsOf(base, word).length
  const globAt = names.findIndex(isGlob)
  if (globAt === -1) {
    const source = openSource(lookup, toByteText(names.join('/')), pivot)
    if (source === undefined) throw notThere(lookup, word, names.join('/'))
    yield source
    return
  }
  // The pivot cannot lie below a glob: its path is kept from there on.
  const head = toByteText(names.slice(0, Math.max(globAt, pivot)).join('/'))
  const tail = globOf(names.slice(Math.max(globAt, pivot)).join('/'), word, sources.parents)
  for (const path of expand(lookup, head, tail)) {
    const source = openSource(lookup, path, pivot)
    if (source !== undefined) yield source
  }
}

/** `a/./b`: with `--parents` only `b` is kept of the path. */
function splitPivot(word: string, parents: boolean): readonly [base: string, rest: string] {
  const at = parents ? word.indexOf('/./') : -1
  return at === -1 ? ['', word] : [word.slice(0, at), word.slice(at + 3)]
}

// `..` is taken away by the text, as docker does, and never leads above the folder.
function componentsOf(text: string, word: string): readonly string[] {
  if (text.includes('\0'))
    throw new TsrunError(
      'invalid-argument',
      `cannot copy ${JSON.stringify(word)}: it has a NUL byte`,
    )
  const names: string[] = []
  for (const name of text.split('/')) {
    if (name === '..') names.pop()
    else if (name !== '' && name !== '.') names.push(name)
  }
  return names
}

// With --parents a glob may have `**`, for any number of folders.
function globOf(text: string, word: string, parents: boolean): PathPattern {
  try {
    return compilePattern(text, parents ? 'ignore' : 'glob')
  } catch (cause) {
    if (!(cause instanceof PatternError)) throw cause
    throw new TsrunError(
      'invalid-argument',
      `cannot copy ${JSON.stringify(word)}: it is no pattern: ${cause.message}`,
      { hint: 'a name that has [ itself is written with [[] in its place' },
    )
  }
}

/** The paths below `head` that the glob matches, the outermost ones; folders on the way are no links. */
function* expand(lookup: Lookup, head: string, glob: PathPattern): Generator<string> {
  const todo = ['']
  for (let folder = todo.pop(); folder !== undefined; folder = todo.pop()) {
    const inner: string[] = []
    for (const entry of entriesIn(lookup, join(head, folder))) {
      const path = join(folder, entry.name)
      const match = glob.match(fromByteText(path))
      if (match.whole) yield join(head, path)
      else if (match.below && entry.isDirectory()) inner.push(path)
    }
    todo.push(...inner.reverse())
  }
}

function entriesIn({ sources }: Lookup, path: string): readonly Dirent[] {
  using place = resolvePlace(sources.folder, path)
  if (place === undefined || !fstatSync(place.fd.fd).isDirectory()) return []
  try {
    using folder = new OwnedFd(openSync(`${selfPath(place.fd)}/.`, constants.O_RDONLY))
    const entries = readdirSync(selfPath(folder), { encoding: 'latin1', withFileTypes: true })
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  } catch (cause) {
    throw new TsrunError(
      'permission-denied',
      `cannot read "${fromByteText(path)}" of ${sources.folderName}`,
      { cause, errno: errnoCodeOf(cause) ?? 'EACCES' },
    )
  }
}

function join(folder: string, path: string): string {
  return folder === '' || path === '' ? folder + path : `${folder}/${path}`
}

// Undefined when there is none, or none that the build may see: neither under its name nor where a link leads.
function openSource(
  { sources, filter }: Lookup,
  named: string,
  pivot: number,
): CopySource | undefined {
  const place = resolvePlace(sources.folder, named)
  if (place === undefined) return undefined
  const isFolder = fstatSync(place.fd.fd).isDirectory()
  const isHidden = (path: string) => {
    const text = fromByteText(path)
    return path !== '' && filter.excludes(text) && !(isFolder && filter.mayKeepBelow(text))
  }
  if (!isHidden(named) && !isHidden(place.path)) return { ...place, named, pivot, isFolder }
  place[Symbol.dispose]()
  return undefined
}

function notThere({ sources, filter }: Lookup, word: string, path: string): TsrunError {
  const isIgnored = filter.excludes(path)
  return new TsrunError(
    'not-found',
    `cannot copy ${JSON.stringify(word)}: ${sources.folderName} has no such file or directory`,
    isIgnored && sources.ignore !== undefined
      ? { hint: `"${sources.ignore.path}" leaves it out` }
      : {},
  )
}
