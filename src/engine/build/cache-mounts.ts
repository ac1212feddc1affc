/**
 * Folders that RUN --mount=type=cache keeps between builds:
 *
 *   <data root>/build/mounts/<hash of id>[-<n>]/    the folder; numbers for builds that want one alone meanwhile
 *   <data root>/build/mounts/<hash of id>[-<n>].lock  held while a command uses it
 */
import { createHash } from 'node:crypto'
import { chmodSync, chownSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { CacheMount } from '../../dockerfile/parse-run-mount.ts'
import { lockFile, tryLockFile } from '../../native/file-lock.ts'
import type { OwnedFd } from '../../native/owned-fd.ts'
import type { Engine } from '../engine.ts'

/** Cache folders that a command may use, by id, until disposed. */
export interface UsedCaches extends Disposable {
  readonly paths: ReadonlyMap<string, string>
}

/** From the weakest to the strongest. */
const SHARINGS = ['shared', 'private', 'locked'] as const

/**
 * The folders of all cache mounts of one command. Waits for a `locked` one that another command uses; a `private` one
 * is then another folder. Mounts of one id have one folder, in the strongest mode that any of them asks for.
 */
export async function openCaches(
  engine: Engine,
  mounts: readonly CacheMount[],
  signal: AbortSignal | undefined,
): Promise<UsedCaches> {
  const folder = cachesFolder(engine)
  const paths = new Map<string, string>()
  const locks: OwnedFd[] = []
  const dispose = () => {
    for (const lock of locks) lock.close()
  }
  try {
    // All commands in one order: none can wait for a lock whose holder waits for one of ours.
    for (const { name, mount, sharing } of byName(mounts)) {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      const { path, lock } = await lockOne(join(folder, name), sharing, signal)
      locks.push(lock)
      makeFolder(path, mount)
      paths.set(mount.id, path)
    }
    return { paths, [Symbol.dispose]: dispose }
  } catch (error) {
    dispose()
    throw error
  }
}

interface WantedCache {
  readonly name: string
  /** The first mount of the id: a new folder is made as it says. */
  readonly mount: CacheMount
  readonly sharing: CacheMount['sharing']
}

function byName(mounts: readonly CacheMount[]): readonly WantedCache[] {
  const wanted = new Map<string, WantedCache>()
  for (const mount of mounts) {
    const name = createHash('sha256').update(mount.id).digest('hex')
    const known = wanted.get(name)
    const isStronger =
      SHARINGS.indexOf(mount.sharing) > SHARINGS.indexOf(known?.sharing ?? mount.sharing)
    const sharing = isStronger ? mount.sharing : (known?.sharing ?? mount.sharing)
    wanted.set(name, { name, mount: known?.mount ?? mount, sharing })
  }
  return [...wanted.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

function makeFolder(path: string, { uid, gid, mode }: CacheMount): void {
  if (existsSync(path)) return
  mkdirSync(path, { mode: 0o700 })
  // Like any other folder of the container; umask has no say.
  chownSync(path, uid, gid)
  chmodSync(path, mode)
}

interface LockedFolder {
  readonly path: string
  readonly lock: OwnedFd
}

async function lockOne(
  path: string,
  sharing: CacheMount['sharing'],
  signal: AbortSignal | undefined,
): Promise<LockedFolder> {
  if (sharing !== 'private') {
    const mode = sharing === 'locked' ? 'exclusive' : 'shared'
    return { path, lock: await lockFile(`${path}.lock`, mode, signal) }
  }
  for (let i = 0; ; i++) {
    const numbered = i === 0 ? path : `${path}-${i}`
    const lock = tryLockFile(`${numbered}.lock`, 'exclusive')
    if (lock !== undefined) return { path: numbered, lock }
  }
}

/** Where they all are. */
export function cachesFolder(engine: Engine): string {
  return join(engine.dataRoot, 'build', 'mounts')
}
