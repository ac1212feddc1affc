/** Finds what a path leads to below a root, and under which real path it stands there. */
import { fstatSync, readlinkSync } from 'node:fs'
import { TsrunError } from '../../errors.ts'
import { entryPath, openEntry, openInRoot } from '../../native/open-in-root.ts'
import type { OwnedFd } from '../../native/owned-fd.ts'
import { fromByteText } from '../../util/byte-text.ts'

/** Something below a root; its descriptors are the caller's to give back. */
export interface Place extends Disposable {
  readonly fd: OwnedFd
  /** Where it stands, without links: a byte string below the root, empty for the root. */
  readonly path: string
  /** The folder that it stands in, under `name`; undefined for the root. */
  readonly from: { readonly folder: OwnedFd; readonly name: string } | undefined
}

const MAX_LINKS = 40 // path_resolution(7)

interface Step {
  readonly name: string
  readonly fd: OwnedFd
}

/**
 * The place of `path` (a byte string), links followed inside the root as chroot(2) would; undefined when there
 * is nothing. Each component is opened once, in its folder and through no link, whoever changes it meanwhile.
 */
export function resolvePlace(root: OwnedFd, path: string): Place | undefined {
  const way: Step[] = []
  const todo = path.split('/').reverse()
  let followed = 0
  const leave = (depth: number) => {
    for (const { fd } of way.splice(depth)) fd.close()
  }
  const top = openRoot(root)
  const folder = () => way.at(-1)?.fd ?? top
  try {
    for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
      if (name === '' || name === '.') continue
      if (name === '..') {
        leave(Math.max(way.length - 1, 0))
        continue
      }
      const fd = openEntry(folder(), name)
      if (fd === undefined) {
        leave(0)
        top.close()
        return undefined
      }
      if (!fstatSync(fd.fd).isSymbolicLink()) {
        way.push({ name, fd })
        continue
      }
      fd.close()
      if (++followed > MAX_LINKS) throw tooManyLinks(path)
      const target = readlinkSync(entryPath(folder(), name), 'latin1')
      if (target.startsWith('/')) leave(0)
      todo.push(...target.split('/').reverse())
    }
  } catch (error) {
    leave(0)
    top.close()
    throw error
  }
  return placeOf(top, way)
}

function placeOf(top: OwnedFd, way: readonly Step[]): Place {
  const last = way.at(-1)
  const above = way.at(-2)?.fd ?? top
  for (const { fd } of [{ fd: top }, ...way]) {
    if (fd !== above && fd !== last?.fd) fd.close()
  }
  return {
    fd: last?.fd ?? top,
    path: way.map(({ name }) => name).join('/'),
    from: last === undefined ? undefined : { folder: above, name: last.name },
    [Symbol.dispose]() {
      above.close()
      last?.fd.close()
    },
  }
}

function openRoot(root: OwnedFd): OwnedFd {
  const top = openInRoot(root, '', { follow: true })
  if (top !== undefined) return top
  throw new RangeError('the root is gone')
}

function tooManyLinks(path: string): TsrunError {
  return new TsrunError(
    'invalid-argument',
    `cannot follow "${fromByteText(path)}": its symbolic links lead in a circle`,
  )
}
