/** Where the engine keeps its things unless told otherwise. */
import { isAbsolute, join } from 'node:path'
import { TsrunError } from '../errors.ts'
import { isHostRoot } from '../util/host-user.ts'

/** Images, layers and containers. */
export const DEFAULT_DATA_ROOT = '/var/lib/tsrun'

/** State of running containers: gone after a reboot, as they are. */
export const DEFAULT_STATE_ROOT = '/run/tsrun-engine'

/** Who asks; a user's is also who is root of a user namespace alone, unless the name is root's. */
export interface WhoAsks {
  readonly uid: number
  readonly isHostRoot: boolean
}

/** Root's, and for others those of the XDG base directory specification. */
export function defaultDataRoot(env = process.env, who = whoWeAre()): string {
  if (!isUsers(env, who)) return DEFAULT_DATA_ROOT
  const { XDG_DATA_HOME = '', HOME = '' } = env
  // "If an implementation encounters a relative path, it should consider it invalid and ignore it."
  if (isAbsolute(XDG_DATA_HOME)) return join(XDG_DATA_HOME, 'tsrun')
  if (isAbsolute(HOME)) return join(HOME, '.local/share/tsrun')
  throw new TsrunError(
    'failed-precondition',
    'cannot find a directory for images and containers: neither XDG_DATA_HOME nor HOME is set',
    { hint: 'set HOME, or give --data-root a directory of yours' },
  )
}

/** As {@link defaultDataRoot}. */
export function defaultStateRoot(env = process.env, who = whoWeAre()): string {
  if (!isUsers(env, who)) return DEFAULT_STATE_ROOT
  const { XDG_RUNTIME_DIR = '' } = env
  if (isAbsolute(XDG_RUNTIME_DIR)) return join(XDG_RUNTIME_DIR, 'tsrun-engine')
  if (who.uid === 0) return DEFAULT_STATE_ROOT
  throw new TsrunError(
    'failed-precondition',
    'cannot find a directory for the state of containers: XDG_RUNTIME_DIR is not set',
    {
      hint: `log in with a session of your own (loginctl enable-linger keeps one; su and sudo make none), or set XDG_RUNTIME_DIR=/run/user/${who.uid}, or give --state-root a directory of yours on a tmpfs`,
    },
  )
}

function isUsers(env: NodeJS.ProcessEnv, { uid, isHostRoot }: WhoAsks): boolean {
  return uid !== 0 || (!isHostRoot && env.USER !== 'root' && env.XDG_RUNTIME_DIR !== undefined)
}

function whoWeAre(): WhoAsks {
  return { uid: process.geteuid?.() ?? 0, isHostRoot: isHostRoot() }
}
