/** Where the state of containers is when the caller does not say. */
import { join } from 'node:path'
import { TsrunError } from '../errors.ts'
import { isHostRoot } from '../util/host-user.ts'

export interface DefaultRoot {
  readonly path: string
  /** It is below $XDG_RUNTIME_DIR, where cleaners may pass by. */
  readonly isUsers: boolean
}

export interface Caller {
  readonly uid: number
  /** Root of the host's first user namespace. */
  readonly isHostRoot: boolean
}

/**
 * Without --root: `/run/tsrun` for root, `$XDG_RUNTIME_DIR/tsrun` for others and, as with runc, for who is root of a
 * user namespace alone (podman without root). Throws `failed-precondition` where a user has no such directory.
 */
export function defaultRuntimeRoot(
  env: NodeJS.ProcessEnv,
  { uid, isHostRoot }: Caller = caller(),
): DefaultRoot {
  const runtimeDirectory = env.XDG_RUNTIME_DIR ?? ''
  const isUsers = uid !== 0 || (!isHostRoot && env.USER !== 'root')
  if (isUsers && runtimeDirectory !== '')
    return { path: join(runtimeDirectory, 'tsrun'), isUsers: true }
  if (uid === 0) return { path: '/run/tsrun', isUsers: false }
  throw new TsrunError(
    'failed-precondition',
    'cannot find a directory for the state of containers: XDG_RUNTIME_DIR is not set',
    {
      hint: `log in with a session of your own (loginctl enable-linger keeps one; su and sudo make none), or set XDG_RUNTIME_DIR=/run/user/${uid}, or give --root a directory of yours on a tmpfs`,
    },
  )
}

function caller(): Caller {
  return { uid: process.geteuid?.() ?? 0, isHostRoot: isHostRoot() }
}
