/** A process document → the plan that starts it inside a running container. */
import { CLONE_NEWCGROUP, CLONE_NEWUSER } from '../linux/namespaces.ts'
import { AT_FDCWD } from '../linux/open-flags.ts'
import type { Process, RuntimeConfig } from '../oci/runtime-config.ts'
import { emitFinalAffinity, emitInitialAffinity } from './compile/cpu-affinity.ts'
import type { ProcessContext } from './compile/create-context.ts'
import { emitKeyring } from './compile/credentials.ts'
import { emitCloseOnExec } from './compile/exec-process.ts'
import { emitBecomeRoot } from './compile/id-maps.ts'
import { emitLabelProc } from './compile/lsm-label.ts'
import { emitBlockSignals, emitClone } from './compile/namespaces.ts'
import { emitOomScore, emitProcessName, emitUndumpable } from './compile/process-attributes.ts'
import { emitSync } from './compile/report-records.ts'
import { emitRlimits } from './compile/rlimits.ts'
import { emitControllingTerminal, emitTerminal } from './compile/terminal.ts'
import type { CompileExecOptions } from './compile-options.ts'
import { compileProcess } from './compile-process.ts'
import type { Plan } from './plan.ts'
import { PlanBuilder } from './plan-builder.ts'

/**
 * Compiles `process` for the container that `config` describes. Descriptors of the plan: `report`,
 * `container` (pidfd of its init), then `console` and `cgroup` where the options say so.
 */
export function compileExec(
  process: Process,
  config: RuntimeConfig,
  options: CompileExecOptions,
): Plan {
  const b = new PlanBuilder(options.architecture)
  const report = b.descriptor('report')
  const container = b.descriptor('container')
  const console = options.console ? b.descriptor('console') : undefined
  const cgroup = options.cgroup ? b.descriptor('cgroup') : undefined
  const descriptors = 2 + [console, cgroup].filter((slot) => slot !== undefined).length
  const joinsUser = (options.joinFlags & CLONE_NEWUSER) !== 0
  const { hooks: _hooks, ...rest } = config
  const c: ProcessContext = {
    b,
    config: rest,
    process,
    options,
    report,
    ...(console === undefined ? {} : { console }),
    ...(cgroup === undefined ? {} : { cgroup }),
    inUserNamespace: joinsUser,
  }
  b.at('launcher', () => {
    emitUndumpable(b)
    emitCloseOnExec(c)
    if (options.supervise) emitBlockSignals(b)
  })
  emitOomScore(c)
  emitInitialAffinity(c)
  if (joinsUser) emitRlimits(c)
  emitLabelProc(c)
  // Entering the cgroup needs both cgroups in view (cgroup_namespaces(7)): its namespace comes after.
  const early = options.joinFlags & ~CLONE_NEWCGROUP
  if (early !== 0) b.at('namespaces', () => b.run('setns', [container, early]))
  if (joinsUser) emitUndumpable(b)
  b.at('process', () => emitClone(b, report, options, { flags: 0, cgroup, sharesMemory: false }))
  if (cgroup !== undefined && !options.features.cloneIntoCgroup) emitSync(b, report, 'mappings')
  if ((options.joinFlags & CLONE_NEWCGROUP) !== 0) {
    b.at('namespaces', () => b.run('setns', [container, CLONE_NEWCGROUP]))
  }
  emitFinalAffinity(c)
  if (joinsUser) emitBecomeRoot(b)
  b.at('init', () => {
    emitProcessName(b)
    b.run('setsid', [])
  })
  emitKeyring(c, options.containerId)
  const slave = emitTerminal(c, AT_FDCWD)
  if (slave !== undefined) emitControllingTerminal(c, slave)
  compileProcess(c, undefined, descriptors)
  return b.finish()
}
