/** linux.sysctl: written through a private procfs that no path leads to (CVE-2025-52881, CVE-2019-16884). */
import { FSCONFIG_CMD_CREATE, FSMOUNT_CLOEXEC, FSOPEN_CLOEXEC } from '../../linux/mount-flags.ts'
import {
  O_CLOEXEC,
  O_WRONLY,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from '../../linux/open-flags.ts'
import type { Slot } from '../instruction.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import type { CreateContext } from './create-context.ts'
import { openBelow } from './kernel-structs.ts'

const CONFINED = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV

/** A procfs of this pid namespace that is mounted nowhere (fsopen(2)). */
export function emitPrivateProc(b: PlanBuilder): Slot {
  const context = b.sys('fsopen', [b.string('proc'), FSOPEN_CLOEXEC])
  b.run('fsconfig', [context, FSCONFIG_CMD_CREATE, 0, 0, 0])
  const proc = b.sys('fsmount', [context, FSMOUNT_CLOEXEC, 0])
  b.run('close', [context])
  return proc
}

/** `net.ipv4.ip_forward` or `net/ipv4/ip_forward` as a path below /proc/sys (sysctl(8) swaps `.` and `/`). */
export function sysctlPath(name: string): string {
  const firstSlash = name.indexOf('/')
  const firstDot = name.indexOf('.')
  if (firstSlash >= 0 && (firstDot < 0 || firstSlash < firstDot)) return `sys/${name}`
  return `sys/${[...name].map((c) => (c === '.' ? '/' : c === '/' ? '.' : c)).join('')}`
}

export function emitSysctls(c: CreateContext): void {
  const entries = Object.entries(c.config.linux?.sysctl ?? {})
  if (entries.length === 0) return
  const { b } = c
  const proc = b.at('/linux/sysctl', () => emitPrivateProc(b))
  for (const [name, value] of entries) {
    b.at(`/linux/sysctl/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, () => {
      const fd = openBelow(b, proc, sysctlPath(name), {
        flags: O_WRONLY | O_CLOEXEC,
        resolve: CONFINED,
      })
      const text = b.string(value)
      b.run('write', [fd, text, text.length - 1], { note: value })
      b.run('close', [fd])
    })
  }
}
