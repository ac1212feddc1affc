/** Where the engine keeps its things unless told otherwise. */

/** Images, layers and containers. */
export const DEFAULT_DATA_ROOT = '/var/lib/tsrun'

/** State of running containers: gone after a reboot, as they are. */
export const DEFAULT_STATE_ROOT = '/run/tsrun-engine'
