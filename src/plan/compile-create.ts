/** config.json → the plan that makes a container and its init: the table of contents of a start. */

import { CLONE_NEWCGROUP } from '../linux/namespaces.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { withCgroupBinds } from './compile/cgroup-mount.ts'
import { emitResetAffinity } from './compile/cpu-affinity.ts'
import type { CreateContext } from './compile/create-context.ts'
import { hasNamespace } from './compile/create-context.ts'
import { emitKeyring, emitMakeWorkingDirectory, isInUserNamespace } from './compile/credentials.ts'
import { emitDevices, openConsoleTarget } from './compile/devices.ts'
import { emitCloseOnExec } from './compile/exec-process.ts'
import { emitAwaitHelper } from './compile/helper-process.ts'
import { emitCreateContainerHooks, emitHookState } from './compile/hooks.ts'
import { emitHostname, emitLoopback } from './compile/hostname.ts'
import { emitIdMaps } from './compile/id-maps.ts'
import { emitMountIdMaps } from './compile/idmapped-mounts.ts'
import { emitLabelProc } from './compile/lsm-label.ts'
import { emitMaskedPaths, emitReadonlyPaths } from './compile/masked-paths.ts'
import { emitSourceHelper } from './compile/mount-sources.ts'
import { emitMounts, ownsDev, requireMountNamespace } from './compile/mounts.ts'
import {
  emitClone,
  emitJoinNamespaces,
  emitTimeNamespace,
  newNamespaceFlags,
} from './compile/namespaces.ts'
import { emitNetDevices, hasNetDevices } from './compile/net-devices.ts'
import { emitExtend } from './compile/plan-extension.ts'
import { emitOomScore, emitProcessName, emitUndumpable } from './compile/process-attributes.ts'
import { emitRlimits } from './compile/rlimits.ts'
import { emitEnterRoot, emitLateReadonly, emitRootMount } from './compile/rootfs.ts'
import { emitSysctls } from './compile/sysctl.ts'
import { emitConsoleMount, emitControllingTerminal, emitTerminal } from './compile/terminal.ts'
import { emitCopyUpTrees, needsCopyUp } from './compile/tmpfs-copy-up.ts'
import type { CompileCreateOptions } from './compile-options.ts'
import { compileProcess } from './compile-process.ts'
import type { Slot } from './instruction.ts'
import type { Plan } from './plan.ts'
import { PlanBuilder } from './plan-builder.ts'

/** What only the second part of a plan depends on. */
export type LateOptions = Pick<CompileCreateOptions, 'seccomp' | 'danglingLinks'>

export interface PlanInParts {
  /** Up to its `extend`: the launcher, and init in its new namespaces. It can be started at once. */
  readonly beginning: Plan
  /** The whole plan, which begins as {@link beginning}. Once only. */
  complete(late: LateOptions): Plan
}

/** As {@link compileInParts}, in one go. */
export function compileCreate(config: RuntimeConfig, options: CompileCreateOptions): Plan {
  return compileInParts(config, options).complete(options)
}

/**
 * Compiles a validated config, so that the kernel makes the namespaces while the rest is compiled.
 * Descriptors of the plan, in this order: `report`, then `gate`, `console` and `cgroup` where the options
 * say so, `copyUp` where the config does, and `plan`, a file which holds the whole plan when the report
 * socket says so. Throws TsrunError `not-implemented` for what tsrun does not do, by name.
 */
export function compileInParts(given: RuntimeConfig, options: CompileCreateOptions): PlanInParts {
  const config = withCgroupBinds(given, options.cgroupMount ?? '/sys/fs/cgroup')
  const b = new PlanBuilder(options.architecture)
  const report = b.descriptor('report')
  const gate = options.gate ? b.descriptor('gate') : undefined
  const console = options.console ? b.descriptor('console') : undefined
  const cgroup = options.cgroup ? b.descriptor('cgroup') : undefined
  const copyUp = needsCopyUp(config) ? b.descriptor('copyUp') : undefined
  const descriptors =
    1 + [gate, console, cgroup, copyUp].filter((slot) => slot !== undefined).length
  const whole = b.descriptor('plan')
  const c: CreateContext = {
    b,
    config,
    process: config.process ?? { cwd: '/' },
    options,
    report,
    ...(console === undefined ? {} : { console }),
    ...(cgroup === undefined ? {} : { cgroup }),
    inUserNamespace: isInUserNamespace(config),
    rootfs: options.rootfs,
    bundle: options.bundle,
    danglingLinks: {},
    idMaps: new Map(),
    copyUpTrees: new Map(),
    ...(copyUp === undefined ? {} : { copyUpSocket: copyUp }),
    lateReadonly: [],
  }
  compileLauncher(c, cgroup)
  const joinsCgroupLate = cgroup !== undefined && !options.features.cloneIntoCgroup
  // Node answers questions once it has compiled the whole: no question may come before that.
  const asks = asksInNamespaces(c, joinsCgroupLate)
  if (!asks) compileInNamespaces(c, joinsCgroupLate)
  emitExtend(b, report, whole)
  return {
    beginning: b.finish(),
    complete({ danglingLinks = {}, ...seccomp }) {
      const rest: CreateContext = { ...c, options: { ...options, ...seccomp }, danglingLinks }
      if (asks) compileInNamespaces(rest, joinsCgroupLate)
      const slave = compileContainer(rest, options)
      if (slave !== undefined) emitControllingTerminal(rest, slave)
      compileProcess(rest, gate, descriptors)
      return b.finish()
    },
  }
}

/** The launcher: still in the caller's namespaces and with the caller's rights. */
function compileLauncher(c: CreateContext, cgroup: Slot | undefined): void {
  const { b, config } = c
  const namespaces = config.linux?.namespaces ?? []
  requireMountNamespace(c)
  b.at('launcher', () => {
    emitUndumpable(b)
    emitCloseOnExec(c)
  })
  emitOomScore(c)
  if (c.inUserNamespace) emitRlimits(c)
  emitLabelProc(c)
  c.idMaps = emitMountIdMaps(c)
  c.copyUpTrees = emitCopyUpTrees(c)
  const helper = emitSourceHelper(c)
  if (helper !== undefined) c.sourceHelper = helper
  emitJoinNamespaces(b, namespaces)
  const time = namespaces.findIndex(({ type, path }) => type === 'time' && (path ?? '') === '')
  if (time >= 0) {
    b.at(`/linux/namespaces/${time}`, () => emitTimeNamespace(b, config.linux?.timeOffsets ?? {}))
  }
  b.at('/linux/namespaces', () =>
    emitClone(b, c.report, newNamespaceFlags(namespaces), c.options, cgroup, () => {
      if (helper !== undefined) emitAwaitHelper(b, helper)
    }),
  )
}

/** Init makes itself at home in its namespaces. */
function compileInNamespaces(c: CreateContext, joinsCgroupLate: boolean): void {
  const { b, options } = c
  emitIdMaps(c, joinsCgroupLate)
  emitResetAffinity(b)
  b.at('init', () => {
    emitProcessName(b)
    b.run('setsid', [])
    b.run('umask', [0])
  })
  if (hasNamespace(c.config, 'cgroup', 'new')) {
    b.at('/linux/namespaces', () => b.run('unshare', [CLONE_NEWCGROUP], { note: 'cgroup' }))
  }
  emitKeyring(c, options.containerId)
  emitHostname(c)
  emitLoopback(c)
  emitNetDevices(c)
}

function asksInNamespaces({ config }: CreateContext, joinsCgroupLate: boolean): boolean {
  return joinsCgroupLate || hasNamespace(config, 'user', 'new') || hasNetDevices(config)
}

/** Init, up to the moment when the container is complete; returns the slave of its terminal. */
function compileContainer(c: CreateContext, options: CompileCreateOptions): Slot | undefined {
  const { b } = c
  const root = emitRootMount(c)
  emitMounts(c, root)
  if (ownsDev(c)) emitDevices(c, root)
  const slave = emitTerminal(c, root)
  if (slave !== undefined) emitConsoleMount(c, slave, openConsoleTarget(b, root))
  emitMakeWorkingDirectory(c, root)
  c.hookState = emitHookState(c, options.containerId)
  emitCreateContainerHooks(c, c.hookState, root)
  emitSysctls(c)
  emitMaskedPaths(c, root)
  emitReadonlyPaths(c, root)
  emitLateReadonly(c, root)
  emitEnterRoot(c, root, options)
  return slave
}
