/** What the doctor looks at: the host, or a host made up by a test. */
import { existsSync, statfsSync, statSync } from 'node:fs'
import { release, userInfo } from 'node:os'
import { dirname } from 'node:path'
import { errnoCodeOf } from '../../errors.ts'
import { hostFeatures } from '../../native/host-features.ts'
import { isExecutable, programPaths } from '../../runtime/find-program.ts'
import { readTextIfThere } from '../../util/if-there.ts'

export interface DiskSpace {
  /** `statfs(2)`'s f_type. */
  readonly type: number
  readonly totalBytes: number
  readonly freeBytes: number
  readonly files: number
  readonly freeFiles: number
}

export interface HostReader {
  /** As `6.1.0-13-amd64`. */
  readonly kernelRelease: string
  readonly isRoot: boolean
  readonly uid: number
  /** Name of the user, undefined when it has none. */
  readonly user: string | undefined
  readonly dataRoot: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** The text of a file, undefined when there is none or it may not be read. */
  read(path: string): string | undefined
  exists(path: string): boolean
  /** Where the program is, undefined when it is nowhere in the PATH. */
  find(program: string): string | undefined
  /** Permission bits of a file, with the set-user-ID bit. */
  mode(path: string): number
  /** Of the file system that `path` is or will be on. */
  disk(path: string): DiskSpace
  /** Throws when the kernel lacks what every container needs. */
  checkKernel(): void
}

/** The host that this process runs on. */
export function readHost(dataRoot: string): HostReader {
  return {
    kernelRelease: release(),
    isRoot: process.geteuid?.() === 0,
    uid: process.geteuid?.() ?? 0,
    user: userName(),
    dataRoot,
    env: process.env,
    read: readIfAllowed,
    exists: existsSync,
    find: (program) => programPaths(program, process.env).find(isExecutable),
    mode: (path) => statSync(path).mode,
    disk: diskOf,
    checkKernel: () => void hostFeatures(),
  }
}

function userName(): string | undefined {
  try {
    return userInfo().username
  } catch {
    // A uid without an entry in /etc/passwd, ignoring: then only ranges by number are its.
    return undefined
  }
}

function readIfAllowed(path: string): string | undefined {
  try {
    return readTextIfThere(path)
  } catch (error) {
    const code = errnoCodeOf(error)
    if (code === 'EACCES' || code === 'EPERM' || code === 'ENOTDIR' || code === 'EINVAL')
      return undefined
    throw error
  }
}

function diskOf(path: string): DiskSpace {
  let folder = path
  while (!existsSync(folder)) folder = dirname(folder)
  const { type, bsize, blocks, bavail, files, ffree } = statfsSync(folder)
  return {
    type,
    totalBytes: blocks * bsize,
    freeBytes: bavail * bsize,
    files,
    freeFiles: ffree,
  }
}
