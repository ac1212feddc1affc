/** The last part of every plan, for create and exec alike: who the process is and what it runs. */
import { emitBoundingSet, emitCapabilities } from './compile/capabilities.ts'
import type { ProcessContext } from './compile/create-context.ts'
import {
  emitEnterWorkingDirectory,
  emitNoNewPrivileges,
  emitStdioOwner,
  emitUser,
  emitWorkingDirectory,
} from './compile/credentials.ts'
import {
  emitCloseLeftovers,
  emitCloseOnExec,
  emitExec,
  emitFindExecutable,
  emitStartGate,
} from './compile/exec-process.ts'
import { emitStartContainerHooks } from './compile/hooks.ts'
import { emitLabels } from './compile/lsm-label.ts'
import { emitMemoryPolicy } from './compile/memory-policy.ts'
import { emitPersonality } from './compile/personality.ts'
import { emitSync } from './compile/report-records.ts'
import { emitRlimits } from './compile/rlimits.ts'
import { emitScheduling } from './compile/scheduler.ts'
import { emitSeccomp, needsSysAdminForSeccomp } from './compile/seccomp.ts'
import type { Slot } from './instruction.ts'

/** Emits everything from the standard streams' owner to execve(2); runs inside the container. */
export function compileProcess(
  c: ProcessContext,
  gate: Slot | undefined,
  descriptors: number,
): void {
  const { b } = c
  emitStdioOwner(c)
  emitLabels(c)
  emitCloseLeftovers(c, descriptors)
  if (!c.inUserNamespace) emitRlimits(c)
  // With the rights of root still: the user may not raise its own priorities.
  emitScheduling(c)
  emitPersonality(c)
  emitMemoryPolicy(c)
  emitBoundingSet(c)
  const entered = emitEnterWorkingDirectory(c)
  emitUser(c)
  emitCapabilities(c, needsSysAdminForSeccomp(c))
  emitWorkingDirectory(c, entered)
  const executable = emitFindExecutable(c)
  emitNoNewPrivileges(c)
  emitSync(b, c.report, 'ready')
  emitStartGate(c, gate)
  emitStartContainerHooks(c)
  emitCloseOnExec(c)
  emitSeccomp(c)
  emitExec(c, executable)
}
