/** Why this host lets nobody, or not us, make user namespaces: the switches that distributions have for it. */
import { join } from 'node:path'
import { readTextIfThere } from '../util/if-there.ts'

/** A clause without a final period, undefined when no switch stands against it; `sysctls` is /proc/sys. */
export function namespaceHint(sysctls = '/proc/sys'): string | undefined {
  const value = (name: string): string =>
    readTextIfThere(join(sysctls, name.replaceAll('.', '/')))?.trim() ?? ''
  if (value('kernel.apparmor_restrict_unprivileged_userns') === '1')
    return 'AppArmor restricts user namespaces here: load a profile that grants tsrun "userns,", or set kernel.apparmor_restrict_unprivileged_userns=0 with sysctl'
  if (value('kernel.unprivileged_userns_clone') === '0')
    return 'this host forbids user namespaces to all but root: set kernel.unprivileged_userns_clone=1 with sysctl'
  if (value('user.max_user_namespaces') === '0')
    return 'this host allows no user namespaces: raise user.max_user_namespaces with sysctl'
  return undefined
}
