/** Programs of the host that the runtime calls: ps, criu. */
import { accessSync, constants } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'

// podman calls the runtime with next to no environment; the tools of the administrator's are meant.
const USUAL_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** The PATH of `env`, or the usual one. */
export function searchPath(env: NodeJS.ProcessEnv): string {
  return env.PATH === undefined || env.PATH === '' ? USUAL_PATH : env.PATH
}

/** Where a program called `name` may be, in the order of the PATH; relative folders in it do not count. */
export function programPaths(name: string, env: NodeJS.ProcessEnv): readonly string[] {
  return searchPath(env)
    .split(delimiter)
    .filter(isAbsolute)
    .map((directory) => join(directory, name))
}

/** Whether this process may execute the file at `path`. */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    // Not there, or not for us: the next folder may have it.
    return false
  }
}
