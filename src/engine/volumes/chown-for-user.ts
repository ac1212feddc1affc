/** podman's `U`: all files of a mount's source are given to the container's user. */
import { constants, fchownSync, lchownSync, lstatSync, openSync, readdirSync } from 'node:fs'
import { TsrunError } from '../../errors.ts'
import { OwnedFd } from '../../native/owned-fd.ts'
import type { IdMapping } from '../../oci/runtime-config.ts'
import { resolveUser } from '../../spec/user.ts'
import { type Ids, idOutside } from '../../spec/user-namespace.ts'
import { readInRoot } from '../read-in-root.ts'
import type { AttachInput } from './attach-volumes.ts'

/** Changes owner and group of everything below `source`, on its own file system and through no link. */
export function chownForUser(
  source: string,
  { request, image, rootPath }: Pick<AttachInput, 'request' | 'image' | 'rootPath'>,
  ids: Ids | undefined,
): void {
  const user = resolveUser({
    user: request.user ?? image?.process.User ?? '',
    groups: [],
    passwd: readInRoot(rootPath, '/etc/passwd'),
    group: readInRoot(rootPath, '/etc/group'),
  })
  const owner = {
    uid: hostIdOf(user.uid, ids?.uidMappings),
    gid: hostIdOf(user.gid, ids?.gidMappings),
  }
  if (lstatSync(source).isDirectory()) chownFolder(source, owner, lstatSync(source).dev)
  else lchownSync(source, owner.uid, owner.gid)
}

function hostIdOf(id: number, mappings: readonly IdMapping[] | undefined): number {
  const host = mappings === undefined ? id : idOutside(id, mappings)
  if (host !== undefined) return host
  throw new TsrunError(
    'invalid-argument',
    `cannot give the files of a mount to the container's user: its user namespace has no id ${id}`,
    { hint: 'ask for more ids with --userns auto:size=65536, or map this one' },
  )
}

interface Owner {
  readonly uid: number
  readonly gid: number
}

// Each folder is opened once: what another container puts in the way meanwhile is not followed.
function chownFolder(path: string | Buffer, owner: Owner, device: number): void {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants
  using folder = new OwnedFd(openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
  fchownSync(folder.fd, owner.uid, owner.gid)
  for (const name of readdirSync(`/proc/self/fd/${folder.fd}`, { encoding: 'buffer' })) {
    const entry = Buffer.concat([Buffer.from(`/proc/self/fd/${folder.fd}/`), name])
    const stat = lstatSync(entry)
    if (stat.dev !== device) continue
    if (stat.isDirectory()) chownFolder(entry, owner, device)
    else lchownSync(entry, owner.uid, owner.gid)
  }
}
