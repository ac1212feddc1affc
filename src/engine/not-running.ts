/** The error of a command that needs a container that runs. */
import { TsrunError } from '../errors.ts'

/** `cannot <action> container "<name>": it is not running`, and what helps. */
export function notRunning(action: string, name: string): TsrunError {
  return new TsrunError(
    'failed-precondition',
    `cannot ${action} container "${name}": it is not running`,
    { hint: `tsrun start ${name} starts it` },
  )
}
