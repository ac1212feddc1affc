/** config.json → the plan that makes a container and its init: the table of contents of a start. */

import { CLONE_NEWCGROUP, CLONE_NEWNET } from '../linux/namespaces.ts'
import { AT_FDCWD, O_CLOEXEC, O_PATH, openFlagsFor } from '../linux/open-flags.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { withCgroupBinds } from './compile/cgroup-mount.ts'
import { emitResetAffinity } from './compile/cpu-affinity.ts'
import type { CreateContext } from './compile/create-context.ts'
import { hasNamespace } from './compile/create-context.ts'
import { emitKeyring, emitMakeWorkingDirectory, isInUserNamespace } from './compile/credentials.ts'
import { emitDevices, openConsoleTarget } from './compile/devices.ts'
import { emitCloseOnExec } from './compile/exec-process.ts'
import { emitReceiveStreams } from './compile/handed-streams.ts'
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
  emitBlockSignals,
  emitClone,
  emitJoinNamespaces,
  emitNetworkNamespace,
  emitTimeNamespace,
  makesNetworkEarly,
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

/** What the beginning of a plan depends on. */
export type BeginOptions = Pick<
  CompileCreateOptions,
  'architecture' | 'preservedFds' | 'console' | 'gate' | 'supervise'
> & {
  /** The launcher is started without standard streams and gets them when it is needed. */
  readonly standby?: boolean
}

/** What the end of a plan depends on, beside all that came before. */
export type LateOptions = Pick<CompileCreateOptions, 'seccomp' | 'danglingLinks'> & {
  readonly config: RuntimeConfig
}

/**
 * A plan in the making, one part after the other, each of which begins as the one before and can run while
 * the next is compiled. Each step is made once.
 */
export interface Beginning {
  /** The launcher, and a network namespace where one can be made that early. */
  readonly plan: Plan
  /** Once the container's cgroup is there. */
  launch(config: RuntimeConfig, options: CompileCreateOptions): Launch
}

export interface Launch {
  /** And init, at home in its namespaces. */
  readonly plan: Plan
  /** And the container. */
  complete(late: LateOptions): Plan
}

/** The whole plan in one go: see {@link beginCreate}. */
export function compileCreate(config: RuntimeConfig, options: CompileCreateOptions): Plan {
  return beginCreate(config, options)
    .launch(config, options)
    .complete({ ...options, config })
}

/**
 * Compiles a validated config. Descriptors of the plan, in this order: `report`, then `gate` and `console`
 * where the options say so, `copyUp` where the config does, and `launch` and `plan`, files that hold the two
 * longer plans when the report socket says so. Throws TsrunError `not-implemented` for what tsrun does not
 * do, by name.
 */
export function beginCreate(config: RuntimeConfig, options: BeginOptions): Beginning {
  const b = new PlanBuilder(options.architecture)
  const handed = declareDescriptors(b, config, options)
  b.at('launcher', () => {
    emitUndumpable(b)
    emitCloseOnExec({ b, options })
    if (options.supervise) emitBlockSignals(b)
  })
  if (makesNetworkEarly(config)) emitNetworkNamespace({ b, config })
  if (options.standby === true) emitReceiveStreams(b, handed.report)
  emitExtend(b, handed.report, handed.launch)
  return {
    plan: b.finish(),
    launch: (...launch) => compileLaunch(b, handed, ...launch),
  }
}

/** The slots of the descriptors that the starter hands over. */
interface Handed {
  readonly report: Slot
  readonly gate: Slot | undefined
  readonly console: Slot | undefined
  readonly copyUp: Slot | undefined
  readonly launch: Slot
  readonly plan: Slot
}

function declareDescriptors(b: PlanBuilder, config: RuntimeConfig, options: BeginOptions): Handed {
  return {
    report: b.descriptor('report'),
    gate: options.gate ? b.descriptor('gate') : undefined,
    console: options.console ? b.descriptor('console') : undefined,
    copyUp: needsCopyUp(config) ? b.descriptor('copyUp') : undefined,
    launch: b.descriptor('launch'),
    plan: b.descriptor('plan'),
  }
}

function compileLaunch(
  b: PlanBuilder,
  handed: Handed,
  config: RuntimeConfig,
  options: CompileCreateOptions,
): Launch {
  const c = createContext(b, handed, config, options)
  compileLauncher(c)
  const joinsCgroupLate = options.cgroupPath !== undefined && !options.features.cloneIntoCgroup
  // Node answers questions once it has compiled the whole: no question may come before that.
  const asks = asksInNamespaces(c, joinsCgroupLate)
  if (!asks) compileInNamespaces(c, joinsCgroupLate)
  emitExtend(b, handed.report, handed.plan)
  return {
    plan: b.finish(),
    complete({ danglingLinks = {}, config: completed, ...seccomp }) {
      const rest: CreateContext = {
        ...c,
        ...processOf(withHostBinds(completed, options)),
        options: { ...options, ...seccomp },
        danglingLinks,
      }
      if (asks) compileInNamespaces(rest, joinsCgroupLate)
      const slave = compileContainer(rest, options)
      if (slave !== undefined) emitControllingTerminal(rest, slave)
      // The files of the plan come last, and are closed by now.
      const { report, gate, console, copyUp } = handed
      const kept = [report, gate, console, copyUp].filter((slot) => slot !== undefined).length
      compileProcess(rest, gate, kept)
      return b.finish()
    },
  }
}

function createContext(
  b: PlanBuilder,
  { report, console, copyUp }: Handed,
  config: RuntimeConfig,
  options: CompileCreateOptions,
): CreateContext {
  return {
    b,
    ...processOf(withHostBinds(config, options)),
    options,
    report,
    ...(console === undefined ? {} : { console }),
    inUserNamespace: isInUserNamespace(config),
    rootfs: options.rootfs,
    bundle: options.bundle,
    danglingLinks: {},
    idMaps: new Map(),
    copyUpTrees: new Map(),
    ...(copyUp === undefined ? {} : { copyUpSocket: copyUp }),
    lateReadonly: [],
  }
}

function withHostBinds(config: RuntimeConfig, options: CompileCreateOptions): RuntimeConfig {
  return withCgroupBinds(config, options.cgroupMount ?? '/sys/fs/cgroup')
}

function processOf(config: RuntimeConfig): Pick<CreateContext, 'config' | 'process'> {
  return { config, process: config.process ?? { cwd: '/' } }
}

/** The launcher: still in the caller's other namespaces and with the caller's rights. */
function compileLauncher(c: CreateContext): void {
  const { b, config, options } = c
  const namespaces = config.linux?.namespaces ?? []
  requireMountNamespace(c)
  emitOomScore(c)
  if (c.inUserNamespace) emitRlimits(c)
  emitLabelProc(c)
  c.idMaps = emitMountIdMaps(c)
  c.copyUpTrees = emitCopyUpTrees(c)
  const helper = emitSourceHelper(c)
  if (helper !== undefined) c.sourceHelper = helper
  const cgroup = openCgroup(b, options)
  emitJoinNamespaces(b, namespaces, options.features)
  const time = namespaces.findIndex(({ type, path }) => type === 'time' && (path ?? '') === '')
  if (time >= 0) {
    b.at(`/linux/namespaces/${time}`, () => emitTimeNamespace(b, config.linux?.timeOffsets ?? {}))
  }
  const early = makesNetworkEarly(config) ? CLONE_NEWNET : 0
  b.at('/linux/namespaces', () =>
    emitClone(b, c.report, options, {
      flags: newNamespaceFlags(namespaces) - early,
      cgroup,
      sharesMemory: time < 0 && hasNamespace(config, 'pid', 'new'),
      afterClone: () => {
        if (helper !== undefined) emitAwaitHelper(b, helper)
      },
    }),
  )
}

/** The directory of the cgroup, before a joined mount namespace hides it. */
function openCgroup(b: PlanBuilder, { cgroupPath }: CompileCreateOptions): Slot | undefined {
  if (cgroupPath === undefined) return undefined
  const { O_DIRECTORY } = openFlagsFor(b.architecture)
  return b.at('/linux/cgroupsPath', () =>
    b.sys('openat', [AT_FDCWD, b.string(cgroupPath), O_PATH | O_DIRECTORY | O_CLOEXEC, 0]),
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
  if (!makesNetworkEarly(c.config)) emitLoopback(c)
  emitNetDevices(c)
}

function asksInNamespaces({ config, options }: CreateContext, joinsCgroupLate: boolean): boolean {
  if (options.lendsNetwork === true) return true
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
