/** Where criu is on this host. */
import { accessSync, constants } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'
import { TsrunError } from '../../errors.ts'

// podman calls the runtime with next to no environment; criu is a tool of the administrator's.
const USUAL_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** The PATH that criu is looked for in, and gets: it runs tar, ip and iptables. */
export function searchPath(env: NodeJS.ProcessEnv): string {
  return env.PATH === undefined || env.PATH === '' ? USUAL_PATH : env.PATH
}

/** Absolute path of criu: `given`, or the first in the PATH. Throws `not-found`. */
export function findCriu(given: string | undefined, env: NodeJS.ProcessEnv): string {
  const candidates =
    given !== undefined && isAbsolute(given)
      ? [given]
      : searchPath(env)
          .split(delimiter)
          .filter(isAbsolute)
          .map((directory) => join(directory, given ?? 'criu'))
  const found = candidates.find(isExecutable)
  if (found !== undefined) return found
  throw new TsrunError('not-found', `cannot find criu: no ${candidates.join(', ')}`, {
    hint: 'install criu 3.16 or newer: checkpoints and restores are made with it',
  })
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    // Not there, or not for us: the next folder may have it.
    return false
  }
}
