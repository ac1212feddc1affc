/** --systemd: what systemd needs as the first process of a container (systemd.io/CONTAINER_INTERFACE), as podman gives it. */
import { posix } from 'node:path'
import type { Mount } from '../oci/runtime-config.ts'
import { refuseOption } from './invalid-option.ts'
import type { SpecOptions } from './spec-input.ts'

/** It ends by this one, of which it takes SIGTERM for "re-execute". */
export const SYSTEMD_STOP_SIGNAL = 'SIGRTMIN+3'
export const SYSTEMD_ENVIRONMENT: readonly string[] = ['container=tsrun']

const INITS = new Set(['/sbin/init', '/usr/sbin/init', '/usr/local/sbin/init'])
const TMPFS = ['nosuid', 'nodev', 'mode=755', 'tmpcopyup']

/** Whether the container with these arguments is made for systemd. */
export function isForSystemd(options: SpecOptions, args: readonly string[]): boolean {
  const mode = options.systemd ?? 'false'
  if (mode === 'always') return true
  if (mode === 'false') return false
  if (mode !== 'true') refuseOption('systemd', mode, 'it is one of true, false, always')
  const program = args[0] ?? ''
  return INITS.has(program) || posix.basename(program) === 'systemd'
}

export function systemdMounts(): readonly Mount[] {
  const places = ['/run', '/run/lock', '/tmp', '/var/log/journal']
  return places.map((destination) => ({
    destination,
    type: 'tmpfs',
    source: 'tmpfs',
    options: destination === '/tmp' ? ['nosuid', 'nodev', 'mode=1777', 'tmpcopyup'] : TMPFS,
  }))
}
