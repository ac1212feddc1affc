/** Starts the plan of a new container and sees it through: mappings, hooks, the record; or undoes it. */
import { constants, openSync, rmSync, writeFileSync } from 'node:fs'
import { TsrunError } from '../errors.ts'
import type { ExecutorSession } from '../native/executor.ts'
import {
  type ExecutorEvent,
  reapLauncher,
  receiveEvent,
  reply,
  type SyncPoint,
} from '../native/executor-protocol.ts'
import { hostFeatures } from '../native/host-features.ts'
import { OwnedFd } from '../native/owned-fd.ts'
import { fillMemfd, pidfdGetfd, pidfdOpen } from '../native/syscalls.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { isInUserNamespace } from '../plan/compile/credentials.ts'
import { syncPoints } from '../plan/compile/report-records.ts'
import type { Plan } from '../plan/plan.ts'
import { encodePlan } from '../plan/wire-format.ts'
import type { ContainerRecord } from '../state/container-record.ts'
import {
  prepareContainerRecord,
  publishContainerRecord,
  writeContainerFile,
} from '../state/state-directory.ts'
import { nameFile } from '../util/name-file.ts'
import { timed } from '../util/timings.ts'
import type { Assembly } from './assemble-container.ts'
import { awaitExit } from './await-exit.ts'
import { seccompOf, warningsOf } from './compiled-seccomp.ts'
import { COPY_UP_SOCKET, copyUp } from './copy-up.ts'
import type { CreatedContainer } from './create.ts'
import { followDanglingLinks } from './dangling-links.ts'
import { childStep, createSetupStep, INIT_READY_STEP, seccompSteps } from './debug-steps.ts'
import { explainFailure } from './explain-failure.ts'
import { followPlan } from './follow-plan.ts'
import { completeConfig } from './home-directory.ts'
import { type HookState, runHooks } from './hooks.ts'
import { writeIdMappings } from './id-mappings.ts'
import { joinRdtGroups } from './intel-rdt.ts'
import { killInit } from './kill.ts'
import { moveNetDevices } from './net-devices.ts'
import { scheduleFromOutside } from './outside-scheduling.ts'
import { PIDFD_SOCKET, sendPidfd } from './pidfd-socket.ts'
import type { ProcessIdentity } from './process-liveness.ts'
import { recordOf } from './record-of.ts'
import { OPTIONS_FILE, type SavedOptions } from './saved-options.ts'
import { handOverListener } from './seccomp-listener.ts'
import { prepareStandby } from './standby-launcher.ts'
import { saveVerbRecord } from './verb-plans/save-verb-record.ts'

/** An assembly whose plan is whole. */
interface Driven extends Assembly {
  readonly config: RuntimeConfig
  readonly plan: Plan
}

/** Starts init and sees it through to `ready`; kills what it started when something fails. */
export async function driveCreate(begun: Assembly): Promise<CreatedContainer> {
  const { options, session } = begun
  let record: ContainerRecord | undefined
  try {
    // The kernel is busy with each part of the plan: what Node has to do, it does meanwhile.
    hand(begun, 'launch', begun.launch.plan)
    const config = completeConfig(begun.given, begun.rootfs, options.extraEnv ?? [])
    const { plan, danglingLinks } = await completePlan(begun, config)
    const assembly: Driven = { ...begun, config, plan }
    const answersAhead = mayAnswerAhead(assembly)
    hand(begun, 'plan', plan)
    writeConfig(assembly, danglingLinks)
    const pid = await followPlan(
      session,
      {
        answersAhead,
        waitsInPlace: options.waitsInPlace === true,
        pid(reported) {
          options.debug?.(childStep(reported))
          assembly.begin()
          record = recordOf(assembly, reported)
          if (record !== undefined) prepareRecords(assembly, record)
          if (answersAhead) options.ready?.()
        },
        async sync(point, reported, descriptor) {
          if (point === 'network') await moveInto(assembly, reported, descriptor)
          await answerSync(assembly, point, reported, record)
          if (point === 'ready') publish(assembly, record)
          if (point === 'ready' && !answersAhead) options.ready?.()
        },
        failure: (event) => failureOf(assembly, event),
      },
      options.signal,
    )
    options.debug?.(INIT_READY_STEP)
    if (options.startAtOnce === true) await untilStarted(assembly, session, pid, record)
    if (record === undefined) throw initIsGone(options.id)
    return { pid, record, ...finishSession(assembly, session) }
  } catch (error) {
    if (record !== undefined) killInit(record)
    undo(begun)
    throw error
  }
}

async function completePlan(
  { options, rootfs, launch }: Assembly,
  config: RuntimeConfig,
): Promise<{ readonly plan: Plan; readonly danglingLinks: SavedOptions['danglingLinks'] }> {
  const danglingLinks = followDanglingLinks(rootfs, config)
  const filter = await seccompOf(config)
  for (const step of [createSetupStep(config), ...seccompSteps(filter)]) options.debug?.(step)
  for (const warning of warningsOf(config, filter, hostFeatures())) options.warn?.(warning)
  const late = { ...filter, danglingLinks, config }
  return { plan: timed('compile', () => launch.complete(late)), danglingLinks }
}

/** Lets the plan go on in the longer one. Whether somebody is still there, the next record says. */
function hand({ descriptors, session }: Assembly, part: 'launch' | 'plan', plan: Plan): void {
  const image = timed('compile', () => encodePlan(plan))
  fillMemfd(descriptors.get(part) ?? -1, image)
  reply(session.report.fd)
}

// Where Node does no more than publish the record, and what comes after that.
const ANSWERED_AHEAD = ['ready', 'listener']

// Only where Node has nothing to do at a sync but to publish the record. The prepared one is enough to
// find and kill init, should we be killed before that.
function mayAnswerAhead({ options, plan, config, rdt, cgroup }: Driven): boolean {
  const isStopped = [...syncPoints(plan)].some((point) => !ANSWERED_AHEAD.includes(point))
  const hasWork = isStopped || isInUserNamespace(config) || rdt !== undefined
  const isAsked = options.pidfdSocket !== undefined || cgroup?.place.scope !== undefined
  return options.startAtOnce === true && !hasWork && !isAsked
}

/** Ends the conversation, or with `supervise` keeps it for the exit status. */
function finishSession(
  assembly: Driven,
  session: ExecutorSession,
): Pick<CreatedContainer, 'exited'> {
  if (assembly.options.supervise !== true) {
    endSession(session)
    return {}
  }
  // While the program starts. What comes below may wait in place.
  prepareStandby(assembly.options, assembly.given)
  const exited = awaitExit(session, (pc, errno) =>
    failureOf(assembly, { type: 'failed', pc, errno }),
  )
  // Whoever does not ask how it ended need not handle that nobody knows.
  exited.catch(() => undefined)
  return { exited }
}

/** Closes the session, which ends processes of the plan that still wait, and reaps the launcher. Once is enough. */
export function endSession(session: ExecutorSession): void {
  if (!session.report.isOpen) return
  session[Symbol.dispose]()
  if (session.launcher.pid > 0) reapLauncher(session.launcher.pid)
}

function undo({ options, session }: Assembly): void {
  endSession(session)
  if (options.pidFile !== undefined) rmSync(options.pidFile, { force: true })
}

async function answerSync(
  assembly: Driven,
  point: SyncPoint,
  pid: number,
  init: ProcessIdentity | undefined,
): Promise<void> {
  const { config, options } = assembly
  if (point === 'mappings') await writeIdMappings(pid, config)
  // Where clone3 could not make it there.
  if (point === 'mappings' && !assembly.cloneIntoCgroup) await assembly.cgroup?.enter(pid)
  if (point === 'copyUp') await copyUp(assembly.descriptors.get(COPY_UP_SOCKET) ?? -1, pid)
  if (point === 'ready' && config.process !== undefined && isInUserNamespace(config))
    scheduleFromOutside(pid, config.process, config)
  if (point === 'ready' && assembly.rdt !== undefined) joinRdtGroups(assembly.rdt, pid)
  if (point === 'ready') await assembly.cgroup?.settle()
  const pidfdSocket = assembly.descriptors.get(PIDFD_SOCKET)
  if (point === 'ready' && pidfdSocket !== undefined) sendPidfd(pidfdSocket, init, 'standard')
  if (point !== 'hooks') return
  const state = hookState(assembly, 'creating', pid)
  await runHooks(config, 'prestart', state, options.signal)
  await runHooks(config, 'createRuntime', state, options.signal)
}

async function moveInto(
  { config, options }: Driven,
  pid: number,
  descriptor: number,
): Promise<void> {
  using pidfd = pidfdOpen(pid)
  if (pidfd === undefined) return
  using inside = pidfdGetfd(pidfd.fd, descriptor)
  moveNetDevices(pid, config, inside.fd)
  if (options.setUpNetwork === undefined) return
  using namespace = new OwnedFd(openSync(`/proc/${pid}/ns/net`, constants.O_RDONLY))
  await options.setUpNetwork({ namespace: namespace.fd, socket: inside.fd, process: pidfd.fd })
}

function hookState({ given, options, bundle }: Assembly, status: string, pid: number): HookState {
  const { ociVersion, annotations = {} } = given
  return { ociVersion, id: options.id, status, pid, bundle, annotations }
}

async function untilStarted(
  assembly: Driven,
  session: ExecutorSession,
  pid: number,
  init: ProcessIdentity | undefined,
): Promise<void> {
  const event = await receiveEvent(session.report.fd)
  if (event.type !== 'starting') throw failureOf(assembly, event)
  await handOverListener({
    report: session.report.fd,
    process: init,
    config: assembly.config,
    state: hookState(assembly, 'created', pid),
    failure: (other) => failureOf(assembly, other),
  })
  if (assembly.options.supervise === true) return
  // The end of the stream is the exec; a supervised launcher keeps it open, and tells by `exited`.
  const next = await receiveEvent(session.report.fd)
  if (next.type !== 'end') throw failureOf(assembly, next)
}

/** The error for an event that ends a plan too early. */
function failureOf(assembly: Driven, event: ExecutorEvent): TsrunError {
  const { config, options, plan } = assembly
  if (event.type === 'failed') {
    const cause = explainFailure(
      plan,
      config,
      config.process?.args ?? [],
      event.pc,
      event.errno,
      assembly.rootfs,
    )
    return new TsrunError(cause.kind, `cannot create container "${options.id}"`, {
      cause,
      ...(cause.exitCode === undefined ? {} : { exitCode: cause.exitCode }),
    })
  }
  return new TsrunError(
    'internal',
    `cannot create container "${options.id}": its init ended before it was ready`,
    {
      hint: 'it may have been killed for want of memory: see dmesg',
    },
  )
}

// Saved as given: the HOME of an exec is that of its own user.
function writeConfig(
  { options: { root, id, startAtOnce }, given, saved }: Assembly,
  danglingLinks: SavedOptions['danglingLinks'],
): void {
  writeContainerFile(root, id, 'config.json', JSON.stringify(given))
  // Only `start` reads them.
  if (startAtOnce !== true)
    writeContainerFile(root, id, OPTIONS_FILE, JSON.stringify({ ...saved, danglingLinks }))
}

function prepareRecords(assembly: Driven, record: ContainerRecord): void {
  const { root, startAtOnce } = assembly.options
  prepareContainerRecord(root, record)
  // `run` starts and ends its container itself.
  if (startAtOnce !== true) saveVerbRecord(assembly, record)
}

function publish({ options: { pidFile, root, id } }: Assembly, record?: ContainerRecord): void {
  if (record === undefined) throw initIsGone(id)
  if (pidFile !== undefined) writePidFile(pidFile, record.pid)
  publishContainerRecord(root, id)
}

function initIsGone(id: string): TsrunError {
  return new TsrunError('internal', `cannot create container "${id}": its init is gone`)
}

/** Digits without a newline: callers parse the raw bytes, and read them once this command has ended. */
export function writePidFile(path: string, pid: number): void {
  nameFile(path, () => writeFileSync(path, String(pid), { mode: 0o644 }))
}
