/** Where the state of containers is when the caller does not say. */
import { join } from 'node:path'

/** Without --root: $XDG_RUNTIME_DIR for a user who is not root. */
export function defaultRuntimeRoot(env: NodeJS.ProcessEnv, uid: number): string {
  const runtimeDirectory = env.XDG_RUNTIME_DIR
  if (uid !== 0 && runtimeDirectory !== undefined && runtimeDirectory !== '')
    return join(runtimeDirectory, 'tsrun')
  return '/run/tsrun'
}
