/** User namespaces and the ids that a user may map into them. */
import type { HostReader } from './host-reader.ts'
import { ok, type Verdict, warn } from './verdict.ts'

/** As many ids as an image can expect. */
const WANTED_IDS = 65_536
/** Linux has setuid programs by mode; distributions that use file capabilities instead have none of these bits. */
const SETUID = 0o4000

export function examineUserNamespaces(host: HostReader): Verdict {
  const number = (path: string) => Number(host.read(path)?.trim() ?? Number.NaN)
  if (!host.exists('/proc/self/ns/user'))
    return warn('userns', 'the kernel has no user namespaces', 'use a kernel with CONFIG_USER_NS')
  const max = number('/proc/sys/user/max_user_namespaces')
  if (max === 0) return warn('userns', 'none are allowed', 'sysctl user.max_user_namespaces=15000')
  if (number('/proc/sys/kernel/unprivileged_userns_clone') === 0)
    return warn('userns', 'only root may make them', 'sysctl kernel.unprivileged_userns_clone=1')
  if (number('/proc/sys/kernel/apparmor_restrict_unprivileged_userns') === 1) {
    return warn(
      'userns',
      'AppArmor takes all capabilities from those that users make',
      'give tsrun an AppArmor profile with "userns,", or sysctl kernel.apparmor_restrict_unprivileged_userns=0',
    )
  }
  return ok('userns', Number.isNaN(max) ? 'allowed' : `up to ${max} for each user`)
}

export function examineIds(host: HostReader): readonly Verdict[] {
  // Root maps whatever it likes; the entries matter to users without root.
  if (host.isRoot) return []
  return [...examineRanges(host), ...examineMapTools(host)]
}

function examineRanges(host: HostReader): readonly Verdict[] {
  const names = [String(host.uid), ...(host.user === undefined ? [] : [host.user])]
  return ['/etc/subuid', '/etc/subgid'].map((path) => {
    const count = idsIn(host.read(path) ?? '', names)
    const check = path.slice('/etc/'.length)
    if (count >= WANTED_IDS) return ok(check, `${count} ids`)
    return warn(
      check,
      count === 0 ? `${path} gives this user no ids` : `${path} gives this user only ${count} ids`,
      `usermod --add-sub${check === 'subuid' ? 'uids' : 'gids'} 100000-165535 ${host.user ?? host.uid}, as root`,
    )
  })
}

/** How many ids the lines `user:first:count` (subuid(5)) give to one of `names`. */
export function idsIn(text: string, names: readonly string[]): number {
  const counts = text.split('\n').map((line) => {
    const [name = '', first = '', count = ''] = line.split(':')
    return names.includes(name) && /^\d+$/.test(first) && /^\d+$/.test(count) ? Number(count) : 0
  })
  return counts.reduce((sum, count) => sum + count, 0)
}

function examineMapTools(host: HostReader): readonly Verdict[] {
  return ['newuidmap', 'newgidmap'].map((program) => {
    const path = host.find(program)
    if (path === undefined)
      return warn(program, 'it is not installed', 'install the package uidmap (or shadow-utils)')
    // With file capabilities instead of the bit the distribution has seen to it.
    const isSetuid = (host.mode(path) & SETUID) !== 0
    return ok(program, isSetuid ? `${path}, set-user-ID` : path)
  })
}
