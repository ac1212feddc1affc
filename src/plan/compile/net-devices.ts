/** Node puts devices into the new network namespace while init waits: linux.netDevices, or the engine's networks. */
import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import type { CreateContext } from './create-context.ts'
import { emitSync } from './report-records.ts'

const AF_NETLINK = 16
const SOCK_RAW_CLOEXEC = 3 | 0o2000000
const NETLINK_ROUTE = 0

/** Whether Node has to move devices into the container. */
export function hasNetDevices(config: RuntimeConfig): boolean {
  return Object.keys(config.linux?.netDevices ?? {}).length > 0
}

/**
 * Lends Node an rtnetlink(7) socket of the container's namespace: which addresses there are to be added is
 * known only when the plan runs.
 */
export function emitNetDevices(c: CreateContext): void {
  if (!hasNetDevices(c.config) && c.options.lendsNetwork !== true) return
  const { b } = c
  b.at(hasNetDevices(c.config) ? '/linux/netDevices' : 'network', () => {
    const socket = b.sys('socket', [AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE])
    emitSync(b, c.report, 'network', socket)
    b.run('close', [socket])
  })
}
