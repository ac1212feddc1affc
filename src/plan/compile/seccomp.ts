/** Installs the compiled filter (seccomp(2) SECCOMP_SET_MODE_FILTER), as late as it can be. */

import { emitFinalCapabilities, emitRaiseSysAdmin } from './capabilities.ts'
import type { ProcessContext } from './create-context.ts'
import { emitFilteredSync } from './report-records.ts'

const SECCOMP_SET_MODE_FILTER = 1
const SECCOMP_FILTER_FLAG_NEW_LISTENER = 8
/** WAIT_KILLABLE_RECV is refused without a listener (seccomp(2)). */
const LISTENER_FLAGS = SECCOMP_FILTER_FLAG_NEW_LISTENER | 32
const BPF_INSTRUCTION_SIZE = 8

/** Without no_new_privs the filter needs CAP_SYS_ADMIN, which the process may not have itself. */
export function needsSysAdminForSeccomp(c: ProcessContext): boolean {
  return c.options.seccomp !== undefined && c.process.noNewPrivileges !== true
}

/**
 * The filter sees only capset(2) and execve(2) of ours, so that a strict profile can be used; with a
 * listener also one write(2) and read(2), as with runc.
 */
export function emitSeccomp(c: ProcessContext): void {
  emitFilter(c, c.options.seccomp?.flags ?? 0)
}

/** The same filter for a hook inside the container. Its agent serves the process alone: what it would decide fails. */
export function emitSeccompOfHook(c: ProcessContext): void {
  emitFilter(c, (c.options.seccomp?.flags ?? 0) & ~LISTENER_FLAGS)
}

function emitFilter(c: ProcessContext, flags: number): void {
  const filter = c.options.seccomp
  if (filter === undefined) return
  const { b } = c
  const borrows = needsSysAdminForSeccomp(c)
  b.at('/linux/seccomp', () => {
    if (borrows) emitRaiseSysAdmin(c)
    const program = b.bytes(filter.program)
    const fprog = b.words([filter.program.length / BPF_INSTRUCTION_SIZE, program])
    const listener = b.sys('seccomp', [SECCOMP_SET_MODE_FILTER, flags, fprog])
    if ((flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) !== 0)
      emitFilteredSync(b, c.report, 'listener', listener)
    if (borrows) emitFinalCapabilities(c)
  })
}
