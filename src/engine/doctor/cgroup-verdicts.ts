/** Control groups: version, controllers, and what a user without root has of them. */
import { join } from 'node:path'
import { findCgroups } from '../../cgroup/detect.ts'
import type { HostReader } from './host-reader.ts'
import { fail, ok, type Verdict, warn } from './verdict.ts'

/** What the limits of `run` need. */
const CONTROLLERS = ['cpu', 'memory', 'pids', 'io', 'cpuset']

export function examineCgroups(host: HostReader): Verdict {
  const hierarchy = findCgroups(host.read('/proc/self/mountinfo') ?? '')
  const boot = 'boot with systemd.unified_cgroup_hierarchy=1'
  if (hierarchy === undefined) {
    return fail(
      'cgroup',
      'no cgroup2 file system is mounted',
      `mount -t cgroup2 none /sys/fs/cgroup, or ${boot}`,
    )
  }
  const { mountPoint, mode, v1Controllers } = hierarchy
  const here = words(host.read(join(mountPoint, 'cgroup.controllers')))
  const missing = CONTROLLERS.filter((controller) => !here.includes(controller))
  if (missing.length === 0) return ok('cgroup', `version 2 (${mode}) with ${here.join(', ')}`)
  const bound = missing.filter((controller) => v1Controllers.has(controller))
  return warn(
    'cgroup',
    `version 2 (${mode}) without ${missing.join(', ')}${bound.length === 0 ? '' : `; version 1 has ${bound.join(', ')}`}: those limits cannot be set`,
    bound.length === 0 ? 'use a kernel with these controllers' : boot,
  )
}

/** Without root systemd must hand the controllers on (systemd.resource-control(5), Delegate=). */
export function examineDelegation(host: HostReader): readonly Verdict[] {
  if (host.isRoot) return []
  const hierarchy = findCgroups(host.read('/proc/self/mountinfo') ?? '')
  if (hierarchy === undefined) return []
  const slice = `user.slice/user-${host.uid}.slice/user@${host.uid}.service`
  const text = host.read(join(hierarchy.mountPoint, slice, 'cgroup.controllers'))
  if (text === undefined) {
    return [
      warn(
        'delegation',
        `there is no ${slice}: containers of this user have no limits`,
        'log in through systemd-logind, or loginctl enable-linger',
      ),
    ]
  }
  const missing = CONTROLLERS.filter((controller) => !words(text).includes(controller))
  if (missing.length === 0) return [ok('delegation', words(text).join(', '))]
  return [
    warn(
      'delegation',
      `systemd does not hand ${missing.join(', ')} on to this user`,
      `put [Service] and Delegate=${CONTROLLERS.join(' ')} into /etc/systemd/system/user@.service.d/delegate.conf, systemctl daemon-reload, and log in again`,
    ),
  ]
}

function words(text: string | undefined): string[] {
  return (text ?? '').split(/\s+/).filter((word) => word !== '')
}
