/** Which ids of the host a container with a user namespace has: those that were asked for, or a free range. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { TsrunError } from '../errors.ts'
import { lockFile } from '../native/file-lock.ts'
import type { IdMapping } from '../oci/runtime-config.ts'
import {
  type IdKind,
  type IdRange,
  subordinateFile,
  subordinateIds,
} from '../runtime/rootless/subordinate-ids.ts'
import { parseGroups, parsePasswd } from '../spec/user.ts'
import { type Ids, type UserNamespaceMode, userNamespaceMode } from '../spec/user-namespace.ts'
import { isHostRoot } from '../util/host-user.ts'
import type { ContainerRecord } from './container-record.ts'
import type { Engine } from './engine.ts'
import { readInRoot } from './read-in-root.ts'
import type { RunRequest } from './run-request.ts'

/** Who has the ranges for --userns auto in /etc/subuid, as in podman. */
const AUTO_USER = 'containers'
/** podman's smallest. */
const LEAST_IDS = 1024
/** nobody of most images: not a reason for so many ids. */
const NOBODY = 65534

/** The ids that the record's container gets, which are written down so that no other one gets them; undefined for the host's. */
export async function claimIds(
  engine: Engine,
  record: ContainerRecord,
  request: RunRequest,
  rootPath: string,
): Promise<Ids | undefined> {
  const mode = userNamespaceMode(request)
  if (mode.kind === 'host') return undefined
  refuseWithoutRoot(request, mode)
  if (mode.kind === 'auto') return await claimFreeRange(engine, record, mode, rootPath)
  const ids = givenIds(engine, mode)
  engine.containers.write({ ...record, ids })
  return ids
}

function refuseWithoutRoot({ userns }: RunRequest, { kind }: UserNamespaceMode): void {
  const isForUsers = kind === 'keep-id' || kind === 'nomap'
  if (isForUsers && isHostRoot())
    throw new TsrunError(
      'invalid-argument',
      `cannot use userns "${userns}": it is for users without root, whose own id it is about`,
      { hint: 'use --userns auto, or --uidmap' },
    )
  if (isHostRoot()) return
  throw new TsrunError(
    'not-implemented',
    `cannot use userns ${JSON.stringify(userns ?? 'private')} without root: the kernel lets only root map the ids of an image's layers`,
    { hint: 'run it as root, or without the option: root of the container is you then' },
  )
}

function givenIds(engine: Engine, mode: UserNamespaceMode): Ids {
  if (mode.kind === 'mapped') return mode
  if (mode.kind === 'container') return idsOfContainer(engine, mode.container)
  if (mode.kind === 'subordinate')
    return {
      uidMappings: inRow(rangesOf('uid', mode.user)),
      gidMappings: inRow(rangesOf('gid', mode.group)),
    }
  throw new RangeError(`${mode.kind} was refused`)
}

function idsOfContainer({ containers }: Engine, name: string): Ids {
  const ids = containers.read(containers.find(name))?.ids
  if (ids !== undefined) return ids
  throw new TsrunError(
    'failed-precondition',
    `cannot use userns "container:${name}": that container has no user namespace of its own`,
    { hint: 'start that one with --userns auto' },
  )
}

function inRow(ranges: readonly IdRange[]): readonly IdMapping[] {
  let next = 0
  return ranges.map(({ start, count }) => {
    const mapping = { containerID: next, hostID: start, size: count }
    next += count
    return mapping
  })
}

function rangesOf(kind: IdKind, name: string): readonly IdRange[] {
  const user = /^\d+$/.test(name) ? { uid: Number(name), name: undefined } : { uid: -1, name }
  const ranges = subordinateIds(kind, user)
  if (ranges.length > 0) return ranges
  const file = subordinateFile(kind)
  throw new TsrunError(
    'failed-precondition',
    `cannot make a user namespace: ${file} gives no ids to "${name}"`,
    { hint: `echo ${name}:2147483648:1073741824 >> ${file} gives it some that nobody has` },
  )
}

async function claimFreeRange(
  engine: Engine,
  record: ContainerRecord,
  mode: Extract<UserNamespaceMode, { kind: 'auto' }>,
  rootPath: string,
): Promise<Ids> {
  const { containers, dataRoot } = engine
  mkdirSync(dataRoot, { recursive: true, mode: 0o700 })
  // Two containers that are made at once must not find the same range free.
  using _ = await lockFile(join(dataRoot, '.ids-lock'), 'exclusive')
  const others = containers.ids().filter((id) => id !== record.id)
  const taken = others.flatMap((id) => containers.read(id)?.ids ?? [])
  const size = mode.size ?? neededIds(rootPath, mode)
  const ids = {
    uidMappings: freeMappings('uid', size, mode.uidMappings, taken),
    gidMappings: freeMappings('gid', size, mode.gidMappings, taken),
  }
  containers.write({ ...record, ids })
  return ids
}

/** As many as there are up to the last user and group of the image. */
function neededIds(rootPath: string, { uidMappings, gidMappings }: Ids): number {
  const users = parsePasswd(readInRoot(rootPath, '/etc/passwd') ?? '')
  const groups = parseGroups(readInRoot(rootPath, '/etc/group') ?? '')
  const known = [...users.flatMap(({ uid, gid }) => [uid, gid]), ...groups.map(({ gid }) => gid)]
  const mapped = [...uidMappings, ...gidMappings].map(({ containerID, size }) => containerID + size)
  const last = Math.max(0, ...known.filter((id) => id < NOBODY))
  return Math.max(LEAST_IDS, last + 1, ...mapped)
}

function freeMappings(
  kind: IdKind,
  size: number,
  given: readonly IdMapping[],
  taken: readonly Ids[],
): readonly IdMapping[] {
  const start = freeStart(rangesOf(kind, AUTO_USER), size, takenOf(kind, taken))
  if (start !== undefined) return around(given, start, size)
  throw new TsrunError(
    'failed-precondition',
    `cannot make a user namespace: no ${size} ids in a row are free of those that ${subordinateFile(kind)} gives to "${AUTO_USER}"`,
    {
      hint: `remove containers that have some (tsrun ps -a), ask for fewer with --userns auto:size=1024, or give "${AUTO_USER}" more`,
    },
  )
}

function takenOf(kind: IdKind, taken: readonly Ids[]): readonly IdMapping[] {
  return taken.flatMap((ids) => (kind === 'uid' ? ids.uidMappings : ids.gidMappings))
}

/** Where the first `size` ids in a row are free, undefined when there are none. */
export function freeStart(
  ranges: readonly IdRange[],
  size: number,
  taken: readonly IdMapping[],
): number | undefined {
  for (const { start, count } of ranges) {
    const candidates = [start, ...taken.map((used) => used.hostID + used.size)]
    const fits = (from: number) =>
      from >= start &&
      from + size <= start + count &&
      taken.every((used) => from >= used.hostID + used.size || from + size <= used.hostID)
    const found = candidates.filter(fits).sort((a, b) => a - b)[0]
    if (found !== undefined) return found
  }
  return undefined
}

/** The range from `start` on for the ids below `size`, but for those that `given` maps. */
function around(given: readonly IdMapping[], start: number, size: number): readonly IdMapping[] {
  const mappings: IdMapping[] = [...given]
  let from = 0
  const sorted = given.toSorted((a, b) => a.containerID - b.containerID)
  for (const next of [...sorted, { containerID: size, hostID: 0, size: 0 }]) {
    const length = Math.min(next.containerID, size) - from
    if (length > 0) mappings.push({ containerID: from, hostID: start + from, size: length })
    from = Math.max(from, next.containerID + next.size)
  }
  return mappings
}
