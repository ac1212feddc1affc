/** The kernel and its security features. */
import { describeError } from '../../errors.ts'
import type { HostReader } from './host-reader.ts'
import { fail, ok, type Verdict, warn } from './verdict.ts'

const SECCOMP_ACTIONS = ['kill_process', 'errno', 'user_notif']

export function examineKernel(host: HostReader): Verdict {
  try {
    host.checkKernel()
    return ok('kernel', `Linux ${host.kernelRelease}`)
  } catch (error) {
    return fail('kernel', describeError(error), 'boot Linux 5.14 or newer')
  }
}

/** The kernel's `major.minor` of a release as a number that compares: 5.14 is 5014. */
export function kernelNumber(release: string): number {
  const [, major = '0', minor = '0'] = /^(\d+)\.(\d+)/.exec(release) ?? []
  return Number(major) * 1000 + Number(minor)
}

/** vm.memfd_noexec, Linux 6.3: tsrun runs its native parts from sealed memory. */
export function examineMemfd(host: HostReader): Verdict {
  const value = host.read('/proc/sys/vm/memfd_noexec')?.trim() ?? '0'
  if (value !== '2') return ok('memfd', 'executables in sealed memory are allowed')
  return fail(
    'memfd',
    'vm.memfd_noexec is 2: nothing in a memfd may be executed',
    'sysctl vm.memfd_noexec=1',
  )
}

export function examineSeccomp(host: HostReader): Verdict {
  const actions = host.read('/proc/sys/kernel/seccomp/actions_avail')?.trim().split(' ')
  const remedy = 'use a kernel with CONFIG_SECCOMP_FILTER'
  if (actions === undefined) return fail('seccomp', 'the kernel has no seccomp filters', remedy)
  const missing = SECCOMP_ACTIONS.filter((action) => !actions.includes(action))
  if (missing.length > 0) return warn('seccomp', `the kernel lacks ${missing.join(', ')}`, remedy)
  return ok('seccomp', 'filters, with notifications to agents')
}

export function examineSecurityModules(host: HostReader): Verdict {
  const apparmor = host.read('/sys/module/apparmor/parameters/enabled')?.startsWith('Y') === true
  const enforce = host.read('/sys/fs/selinux/enforce')?.trim()
  if (apparmor) return ok('lsm', 'AppArmor; --security-opt apparmor=PROFILE confines a container')
  if (enforce === '1')
    return ok('lsm', 'SELinux is enforcing; --security-opt label=… labels a container')
  if (enforce === '0')
    return warn('lsm', 'SELinux only warns', 'setenforce 1, once its log has no denials left')
  return warn(
    'lsm',
    'neither AppArmor nor SELinux: containers are confined by seccomp and capabilities alone',
    'boot with security=apparmor where the kernel has it',
  )
}
