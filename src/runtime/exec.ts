/** `exec`: another process in a running container. */
import { constants, openSync, readlinkSync, rmSync } from 'node:fs'
import { enterCgroup } from '../cgroup/enter-cgroup.ts'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { NAMESPACES, type NamespaceKind } from '../linux/namespaces.ts'
import { type ExecutorSession, type StartOptions, startPlan } from '../native/executor.ts'
import {
  type ExecutorEvent,
  reapLauncher,
  receiveEvent,
  type SyncPoint,
} from '../native/executor-protocol.ts'
import { hostFeatures } from '../native/host-features.ts'
import { hostArchitecture } from '../native/library.ts'
import { OwnedFd } from '../native/owned-fd.ts'
import type { ExitStatus } from '../native/syscalls.ts'
import type { Process, RuntimeConfig } from '../oci/runtime-config.ts'
import { refuseUnsupported } from '../oci/unsupported-features.ts'
import { compileExec } from '../plan/compile-exec.ts'
import type { Plan } from '../plan/plan.ts'
import type { ContainerRecord } from '../state/container-record.ts'
import { timed } from '../util/timings.ts'
import { awaitExit } from './await-exit.ts'
import { seccompOf } from './compiled-seccomp.ts'
import { openConsole } from './console.ts'
import { containerRdt } from './container-rdt.ts'
import { childStep, execSetupStep, execStep, seccompSteps } from './debug-steps.ts'
import { writePidFile } from './drive-create.ts'
import { execCgroup, mayEnterByClone } from './exec-cgroup.ts'
import { execWarnings } from './exec-warnings.ts'
import { explainFailure } from './explain-failure.ts'
import { followPlan } from './follow-plan.ts'
import { processWithHome } from './home-directory.ts'
import { joinRdtGroups } from './intel-rdt.ts'
import { loadContainer } from './load-container.ts'
import { scheduleFromOutside } from './outside-scheduling.ts'
import { connectPidfdSocket, PIDFD_SOCKET, sendPidfd } from './pidfd-socket.ts'
import { identify, openProcess, type ProcessIdentity } from './process-liveness.ts'
import { managerOf } from './recorded-cgroup.ts'
import { savedConfig } from './saved-config.ts'
import { handOverListener } from './seccomp-listener.ts'
import { stateOf } from './state.ts'
import { containerStatus } from './status.ts'

export interface ExecOptions {
  readonly root: string
  readonly id: string
  /** Already validated; capabilities and the like that it leaves out are the container's where runc says so. */
  readonly process: Process
  readonly stdio: readonly [number, number, number]
  readonly preserved?: readonly number[]
  readonly consoleSocket?: string
  readonly consoleFd?: number
  readonly pidFile?: string
  /** Path of a listening AF_UNIX stream socket that gets a pidfd of the process. */
  readonly pidfdSocket?: string
  /** The launcher stays and reports how the process ended. */
  readonly supervise?: boolean
  /** Exec in a paused container instead of refusing: it runs once the container is resumed. */
  readonly ignorePaused?: boolean
  /** A cgroup below the container's own, as runc's `--cgroup` takes. */
  readonly cgroup?: string
  readonly noNewKeyring?: boolean
  /** Hears of what the process does not get. */
  readonly warn?: (problem: string) => void
  /** Hears of each step. */
  readonly debug?: (step: string) => void
  /** Ends an exec that is under way. */
  readonly signal?: AbortSignal
  readonly start?: (plan: Plan, options: StartOptions) => ExecutorSession
  /** Called before the program runs; the console's master has been sent by then. Throws to stop that. */
  readonly ready?: () => void
}

export interface ExecProcess {
  readonly pid: number
  readonly exited?: Promise<ExitStatus>
}

/** Starts the process. Throws `failed-precondition` when the container does not run. */
export async function execInContainer(options: ExecOptions): Promise<ExecProcess> {
  const record = await loadContainer(options.root, options.id)
  refuseWrongStatus(options, record)
  const config = savedConfig(options.root, options.id)
  using init = openProcess(record.pid, record.startTime)
  if (init === undefined) throw notRunning(options.id)
  const process = completeProcess(options.process, config, record)
  const features = hostFeatures()
  refuseUnsupported({ ...config, process }, features)
  const joinFlags = namespacesToJoin(options, record)
  const inUserNamespace = (joinFlags & NAMESPACES.user.cloneFlag) !== 0
  const withheld = inUserNamespace ? [] : features.withheldCapabilities
  for (const warning of execWarnings(process, config, withheld)) options.warn?.(warning)
  const opened: OwnedFd[] = []
  try {
    const cgroup = execCgroup(record, options.cgroup)
    const descriptors = openExecDescriptors(options, process, cgroup, opened)
    const cloneIntoCgroup = features.cloneIntoCgroup && mayEnterByClone(cgroup, inUserNamespace)
    const filter = await seccompOf(config)
    for (const step of [execSetupStep(record.pid, joinFlags), ...seccompSteps(filter)])
      options.debug?.(step)
    const compileOptions = {
      architecture: hostArchitecture(),
      features: { ...features, cloneIntoCgroup },
      ...filter,
      supervise: options.supervise === true,
      preservedFds: (options.preserved ?? []).length,
      console: descriptors.has('console'),
      cgroup: descriptors.has('cgroup'),
      noNewKeyring: options.noNewKeyring === true,
      containerId: options.id,
      joinFlags,
    }
    const plan = timed('compile', () => compileExec(process, config, compileOptions))
    descriptors.set('container', init.fd)
    const session = (options.start ?? startPlan)(plan, {
      stdio: options.stdio,
      preserved: options.preserved ?? [],
      descriptors: plan.descriptors.slice(1).map((name) => descriptors.get(name) ?? -1),
    })
    const pidfdSocket = descriptors.get(PIDFD_SOCKET)
    return await driveExec({
      options,
      config,
      process,
      session,
      inUserNamespace,
      pidfdSocket,
      record,
      cgroup,
    })
  } finally {
    for (const fd of opened) fd.close()
  }
}

function refuseWrongStatus(options: ExecOptions, record: ContainerRecord): void {
  const status = containerStatus(options.root, record)
  if (status === 'stopped') throw notRunning(options.id)
  if (status === 'paused' && options.ignorePaused !== true) {
    throw new TsrunError(
      'failed-precondition',
      'cannot exec in a paused container (use --ignore-paused to override)',
    )
  }
}

function notRunning(id: string): TsrunError {
  return new TsrunError('failed-precondition', 'cannot exec in a stopped container', {
    hint: `start container ${id} first`,
  })
}

/** `process` with what it leaves out of the container's own. */
export function completeProcess(
  process: Process,
  config: RuntimeConfig,
  record: ContainerRecord,
): Process {
  const { capabilities, noNewPrivileges, rlimits, oomScoreAdj, apparmorProfile, selinuxLabel } =
    config.process ?? {}
  const { scheduler, ioPriority, execCPUAffinity } = config.process ?? {}
  return {
    ...(capabilities === undefined ? {} : { capabilities }),
    ...(noNewPrivileges === undefined ? {} : { noNewPrivileges }),
    ...(rlimits === undefined ? {} : { rlimits }),
    ...(oomScoreAdj === undefined ? {} : { oomScoreAdj }),
    ...(apparmorProfile === undefined ? {} : { apparmorProfile }),
    ...(selinuxLabel === undefined ? {} : { selinuxLabel }),
    ...(scheduler === undefined ? {} : { scheduler }),
    ...(ioPriority === undefined ? {} : { ioPriority }),
    ...(execCPUAffinity === undefined ? {} : { execCPUAffinity }),
    ...processWithHome(process, `/proc/${record.pid}/root`),
  }
}

function openExecDescriptors(
  options: ExecOptions,
  process: Process,
  cgroup: string | undefined,
  opened: OwnedFd[],
): Map<string, number> {
  const descriptors = new Map<string, number>()
  const console = openConsole(process.terminal === true, options)
  if (console !== undefined) {
    if (console.owned) opened.push(console.owned)
    descriptors.set('console', console.fd)
  }
  if (options.pidfdSocket !== undefined) {
    const socket = connectPidfdSocket(options.pidfdSocket)
    opened.push(socket)
    descriptors.set(PIDFD_SOCKET, socket.fd)
  }
  if (cgroup !== undefined) {
    const O_PATH = 0o10000000
    const fd = new OwnedFd(openSync(cgroup, constants.O_DIRECTORY | O_PATH))
    opened.push(fd)
    descriptors.set('cgroup', fd.fd)
  }
  return descriptors
}

// An init that waits for its start is undumpable (CVE-2016-9962): its namespaces are for root to see (proc(5)).
function namespacesToJoin({ root, id }: ExecOptions, record: ContainerRecord): number {
  try {
    return differentNamespaces(record.pid)
  } catch (cause) {
    if (errnoCodeOf(cause) !== 'EACCES' || containerStatus(root, record) !== 'created') throw cause
    throw new TsrunError(
      'failed-precondition',
      `cannot exec in container "${id}": it is not started`,
      {
        cause,
        hint: `start it first: only root can enter the namespaces of a process that waits`,
      },
    )
  }
}

/** CLONE_NEW* of the namespaces in which the process `pid` is not with us. */
export function differentNamespaces(pid: number): number {
  let flags = 0
  for (const kind of Object.keys(NAMESPACES) as NamespaceKind[]) {
    const { procFile, cloneFlag } = NAMESPACES[kind]
    if (namespaceOf('self', procFile) !== namespaceOf(String(pid), procFile)) flags |= cloneFlag
  }
  return flags
}

function namespaceOf(process: string, file: string): string {
  return readlinkSync(`/proc/${process}/ns/${file}`)
}

interface StartedExec {
  readonly options: ExecOptions
  readonly config: RuntimeConfig
  readonly process: Process
  readonly session: ExecutorSession
  readonly inUserNamespace: boolean
  readonly pidfdSocket: number | undefined
  /** Where the process is to be. */
  readonly cgroup: string | undefined
  readonly record: ContainerRecord
}

async function driveExec(exec: StartedExec): Promise<ExecProcess> {
  const { options, config, process, session } = exec
  const explain = (pc: number, errno: number): TsrunError => {
    const cause = explainFailure(
      session.plan,
      config,
      process.args ?? [],
      pc,
      errno,
      `/proc/${exec.record.pid}/root`,
    )
    return new TsrunError(cause.kind, 'exec failed', { cause, exitCode: cause.exitCode ?? 255 })
  }
  const failure = (event: ExecutorEvent): TsrunError =>
    event.type === 'failed'
      ? explain(event.pc, event.errno)
      : new TsrunError('internal', 'exec failed: the process ended before it was ready')
  try {
    let started: ProcessIdentity | undefined
    const handlers = {
      pid(pid: number): void {
        started = identify(pid)
        options.debug?.(childStep(pid))
      },
      async sync(point: SyncPoint, pid: number): Promise<void> {
        if (point === 'mappings') await enterOwnCgroup(exec, pid)
        if (point === 'ready') answerReady(exec, pid, started)
      },
      failure,
    }
    const pid = await followPlan(session, handlers, options.signal)
    const passed = await receiveEvent(session.report.fd)
    if (passed.type !== 'starting') throw failure(passed)
    options.debug?.(execStep(process.args ?? []))
    await handOverListener({
      report: session.report.fd,
      process: started,
      config,
      state: stateOf(options.root, exec.record),
      failure,
    })
    if (options.supervise === true) {
      const exited = awaitExit(session, explain)
      // Whoever does not ask how it ended need not handle that nobody knows.
      exited.catch(() => undefined)
      return { pid, exited }
    }
    const executed = await receiveEvent(session.report.fd)
    if (executed.type !== 'end') throw failure(executed)
    endSession(session)
    return { pid }
  } catch (error) {
    endSession(session)
    if (options.pidFile !== undefined) rmSync(options.pidFile, { force: true })
    throw error
  }
}

async function enterOwnCgroup({ cgroup, record }: StartedExec, pid: number): Promise<void> {
  if (cgroup === undefined) return
  // systemd moves processes for users; below the container's own cgroup it would not know where to.
  const manager = cgroup === record.cgroup ? await managerOf(record) : undefined
  if (manager === undefined) enterCgroup(cgroup, pid)
  else await manager.enter(pid)
}

function answerReady(exec: StartedExec, pid: number, started: ProcessIdentity | undefined): void {
  const { options, config, process, pidfdSocket } = exec
  if (exec.inUserNamespace) scheduleFromOutside(pid, process, config)
  const rdt = containerRdt(options.root, options.id)
  if (rdt !== undefined) joinRdtGroups(rdt, pid)
  if (pidfdSocket !== undefined) sendPidfd(pidfdSocket, started, 'setns')
  if (options.pidFile !== undefined) writePidFile(options.pidFile, pid)
  options.ready?.()
}

function endSession(session: ExecutorSession): void {
  session[Symbol.dispose]()
  if (session.launcher.pid > 0) reapLauncher(session.launcher.pid)
}
