/** `diff`: what a container has added, changed and removed, held against its image. */
import { lstatSync, readdirSync, type Stats } from 'node:fs'
import { TsrunError } from '../../errors.ts'
import { findBelow } from '../../images/finish-layer.ts'
import { splitPath } from '../../util/split-path.ts'
import type { Engine } from '../engine.ts'
import { readUpper, type UpperEntry } from './upper-layer.ts'

export interface FileChange {
  readonly kind: 'A' | 'C' | 'D'
  /** A byte string with its leading slash. */
  readonly path: string
}

/** The changes by path. A folder in which something changed counts as changed. */
export async function diffContainer(engine: Engine, id: string): Promise<FileChange[]> {
  const record = engine.containers.read(id)
  if (record === undefined) throw new TsrunError('not-found', `no such container: ${id}`)
  const snapshotter = engine.snapshotter()
  const below = snapshotter.foldersBelow(id)
  const changes = new Map<string, FileChange['kind']>()
  const names = new Set<string>()
  const opaque: string[] = []
  for await (const found of readUpper(engine, record)) {
    names.add(found.path)
    const kind = changeOf(found, below)
    if (found.isOpaque) opaque.push(found.path)
    if (kind === undefined) continue
    changes.set(found.path, kind)
    markParents(found.path, changes)
  }
  for (const folder of opaque)
    for (const path of hiddenIn(folder, below, names)) changes.set(path, 'D')
  return [...changes]
    .map(([path, kind]) => ({ kind, path: `/${path}` }))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
}

function markParents(path: string, changes: Map<string, FileChange['kind']>): void {
  for (let [folder] = splitPath(path); folder !== ''; [folder] = splitPath(folder))
    if (!changes.has(folder)) changes.set(folder, 'C')
}

function changeOf(found: UpperEntry, below: readonly string[]): FileChange['kind'] | undefined {
  const old = findBelow(found.path, { below, overlayXattrs: 'trusted' })?.stats
  if (found.kind === 'removed') return old === undefined ? undefined : 'D'
  if (old === undefined) return 'A'
  const isSameFolder = found.entry.type === 'directory' && old.isDirectory()
  return isSameFolder && sameAttributes(found, old) ? undefined : 'C'
}

// A folder is in the layer already when something in it changed, which also changes its times.
function sameAttributes({ entry }: UpperEntry, old: Stats): boolean {
  return entry.mode === (old.mode & 0o7777) && entry.uid === old.uid && entry.gid === old.gid
}

/** What the image has in a folder that was removed and made again, and that is not there any more. */
function hiddenIn(
  folder: string,
  below: readonly string[],
  names: ReadonlySet<string>,
): readonly string[] {
  const found = new Set<string>()
  for (const layer of below) {
    const path = Buffer.from(`${Buffer.from(layer).toString('latin1')}/${folder}`, 'latin1')
    // Only through real folders: findBelow says below whether the name is seen at all.
    if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) continue
    for (const name of readdirSync(path, { encoding: 'latin1' })) found.add(`${folder}/${name}`)
  }
  return [...found].filter(
    (path) =>
      !names.has(path) && findBelow(path, { below, overlayXattrs: 'trusted' }) !== undefined,
  )
}
