/** The config of a container as it was at create: later edits of the bundle change nothing. */
import { errnoCodeOf, TsrunError } from '../errors.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { containerNotFound, readContainerFile } from '../state/state-directory.ts'

/**
 * Throws `not-found` when the container was removed since its record was read, `internal` when the file
 * is damaged.
 */
export function savedConfig(root: string, id: string): RuntimeConfig {
  try {
    // Validated by create, and written into a folder that only we may enter.
    return JSON.parse(readContainerFile(root, id, 'config.json'))
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') throw containerNotFound(id)
    if (!(error instanceof SyntaxError)) throw error
    throw new TsrunError('internal', `cannot read the config of container "${id}": it is damaged`, {
      cause: error,
      hint: `remove the container with tsrun delete --force ${id}`,
    })
  }
}
