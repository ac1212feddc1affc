/** Where criu is on this host. */
import { isAbsolute } from 'node:path'
import { TsrunError } from '../../errors.ts'
import { isExecutable, programPaths } from '../find-program.ts'

/** Absolute path of criu: `given`, or the first in the PATH. Throws `not-found`. */
export function findCriu(given: string | undefined, env: NodeJS.ProcessEnv): string {
  const candidates =
    given !== undefined && isAbsolute(given) ? [given] : programPaths(given ?? 'criu', env)
  const found = candidates.find(isExecutable)
  if (found !== undefined) return found
  throw new TsrunError('not-found', `cannot find criu: no ${candidates.join(', ')}`, {
    hint: 'install criu 3.16 or newer: checkpoints and restores are made with it',
  })
}
