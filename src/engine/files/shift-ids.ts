/** Ids of files in a running container with a user namespace: they are seen from the host as what they are there. */
import type { TarEntry } from '../../archive/tar-entries.ts'
import type { IdMapping } from '../../oci/runtime-config.ts'
import { type Ids, idInside, idOutside } from '../../spec/user-namespace.ts'

/** What the kernel shows for an id that has no place (Documentation/filesystems/idmappings.rst). */
const OVERFLOW_ID = 65534

interface Owner {
  readonly uid: number
  readonly gid: number
}

/** The owner as the container knows it. */
export function ownerInside<Kind extends Owner>(owner: Kind, ids: Ids | undefined): Kind {
  if (ids === undefined) return owner
  const inside = (id: number, mappings: readonly IdMapping[]) =>
    idInside(id, mappings) ?? OVERFLOW_ID
  return {
    ...owner,
    uid: inside(owner.uid, ids.uidMappings),
    gid: inside(owner.gid, ids.gidMappings),
  }
}

/** The owner to write; what the container has no id for is given to its root. */
export function ownerOutside<Kind extends Owner>(owner: Kind, ids: Ids | undefined): Kind {
  if (ids === undefined) return owner
  const outside = (id: number, mappings: readonly IdMapping[]) =>
    idOutside(id, mappings) ?? idOutside(0, mappings) ?? OVERFLOW_ID
  return {
    ...owner,
    uid: outside(owner.uid, ids.uidMappings),
    gid: outside(owner.gid, ids.gidMappings),
  }
}

/** The entries with their owners changed by one of the two. */
export async function* withOwners(
  entries: AsyncIterable<TarEntry>,
  change: typeof ownerInside,
  ids: Ids | undefined,
): AsyncGenerator<TarEntry> {
  for await (const entry of entries) yield change(entry, ids)
}
