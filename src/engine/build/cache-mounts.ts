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

/** A cache folder that this build may use until the lock is closed. */
export interface UsedCache {
  readonly path: string
  readonly lock: OwnedFd
}

/** Waits for a `locked` one that another command uses; a `private` one is then another folder. */
export async function openCache(engine: Engine, mount: CacheMount): Promise<UsedCache> {
  const folder = cachesFolder(engine)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const name = createHash('sha256').update(mount.id).digest('hex')
  const { path, lock } = await lockOne(join(folder, name), mount.sharing)
  if (!existsSync(path)) {
    mkdirSync(path, { mode: 0o700 })
    // Like any other folder of the container; umask has no say.
    chownSync(path, mount.uid, mount.gid)
    chmodSync(path, mount.mode)
  }
  return { path, lock }
}

async function lockOne(path: string, sharing: CacheMount['sharing']): Promise<UsedCache> {
  if (sharing === 'shared') return { path, lock: await lockFile(`${path}.lock`, 'shared') }
  if (sharing === 'locked') return { path, lock: await lockFile(`${path}.lock`, 'exclusive') }
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
