/** The entries of one source of a copy, less what patterns leave out, with paths below the source. */
import type { BigIntStats } from 'node:fs'
import type { TarEntry } from '../../archive/tar-entries.ts'
import { filterByPatterns, type PathFilter } from '../../dockerfile/ignore-file.ts'
import type { OwnedFd } from '../../native/owned-fd.ts'
import { fromByteText } from '../../util/byte-text.ts'
import { splitPath } from '../../util/split-path.ts'
import { readTree } from '../files/read-tree.ts'
import type { CopySources } from './copy-request.ts'
import { type CopySource, filterOf } from './find-sources.ts'
import { resolvePlace } from './resolve-place.ts'

/** Names the top of what is read; all other entries stand below it. */
const TOP = '.'

/**
 * The entries of the source, outer ones first; `name` and the `linkName` of a hard link are paths below the source,
 * empty for the source itself. What .dockerignore or `--exclude` leave out is not there, but for folders of
 * what they keep.
 */
export async function* sourceEntries(
  sources: CopySources,
  source: CopySource,
  onSkipped: (path: string, reason: string) => void,
): AsyncGenerator<TarEntry> {
  const filters = filtersFor(sources, source)
  const held: TarEntry[] = []
  const entries = readTree(source.fd, TOP, {
    from: source.from,
    onSkipped: (path, reason) => onSkipped(join(source.path, below(path)), reason),
    isExcluded: (path, stats) => filters.some((filter) => isGone(filter, below(path), stats)),
  })
  for await (const entry of entries) {
    const name = below(entry.name)
    const own = entry.type === 'link' ? { linkName: below(entry.linkName) } : {}
    const named = { ...entry, name, ...own }
    // A folder that is itself left out comes only with something that is kept in it.
    while (held.length > 0 && !isBelow(name, held.at(-1)?.name ?? '')) held.pop()
    const isLeftOut = filters.some((filter) => filter.excludes(name))
    if (isLeftOut) {
      if (entry.type === 'directory') held.push(named)
      continue
    }
    yield* held.splice(0)
    yield named
  }
}

/** The folders above the source that `--parents` keeps, outer ones first, with their paths below the target. */
export async function* keptParents(
  { folder }: CopySources,
  source: CopySource,
): AsyncGenerator<{ readonly path: string; readonly entry: TarEntry }> {
  const kept = keptPath(source)
  const names = kept.split('/')
  const pivot = source.named.slice(0, source.named.length - kept.length)
  for (let depth = 1; depth < names.length; depth++) {
    const path = names.slice(0, depth).join('/')
    const entry = await folderEntry(folder, pivot + path)
    if (entry !== undefined) yield { path, entry }
  }
}

// The entry of a folder alone; undefined when there is none.
async function folderEntry(folder: OwnedFd, path: string): Promise<TarEntry | undefined> {
  using place = resolvePlace(folder, path)
  if (place === undefined) return undefined
  for await (const entry of readTree(place.fd, TOP, { from: place.from }))
    return entry.type === 'directory' ? entry : undefined
  return undefined
}

function filtersFor(sources: CopySources, source: CopySource): readonly PathFilter[] {
  const ignore = filterOf(sources)
  const excludes = filterByPatterns(sources.excludes, '--exclude')
  const [, base] = splitPath(source.named)
  return [
    under(ignore, (path) => join(source.path, path)),
    // Of a file its name counts, of a folder what is in it; with --parents the whole path that is kept.
    under(excludes, (path) => {
      if (sources.parents) return join(keptPath(source), path)
      return source.isFolder ? path : base
    }),
  ]
}

/** What `--parents` keeps of the source's path. */
export function keptPath({ named, pivot }: CopySource): string {
  return named.split('/').slice(pivot).join('/')
}

function under(filter: PathFilter, where: (path: string) => string): PathFilter {
  const textOf = (path: string) => fromByteText(where(path))
  return {
    excludes: (path) => where(path) !== '' && filter.excludes(textOf(path)),
    mayKeepBelow: (path) => where(path) === '' || filter.mayKeepBelow(textOf(path)),
  }
}

function isGone(filter: PathFilter, path: string, stats: BigIntStats): boolean {
  return filter.excludes(path) && !(stats.isDirectory() && filter.mayKeepBelow(path))
}

function below(name: string): string {
  return name.slice(TOP.length + 1)
}

function isBelow(path: string, folder: string): boolean {
  return folder === '' || path.startsWith(`${folder}/`)
}

function join(folder: string, path: string): string {
  return folder === '' || path === '' ? folder + path : `${folder}/${path}`
}
