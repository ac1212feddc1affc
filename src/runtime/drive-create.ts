/** Node's half of the conversation in src/native/executor-protocol.ts while a container is made. */
import { renameSync, writeFileSync } from 'node:fs'
import { TsrunError } from '../errors.ts'
import { type ExecutorSession, startPlan } from '../native/executor.ts'
import {
  type ExecutorEvent,
  reapLauncher,
  receiveEvent,
  reply,
} from '../native/executor-protocol.ts'
import { type ExitStatus, pidfdSendSignal } from '../native/syscalls.ts'
import type { ContainerRecord } from '../state/container-record.ts'
import { writeContainerFile } from '../state/state-directory.ts'
import type { Assembly } from './assemble-container.ts'
import type { CreatedContainer } from './create.ts'
import { explainFailure } from './explain-failure.ts'
import { runHooks } from './hooks.ts'
import { writeIdMappings } from './id-mappings.ts'
import { openProcess, readProcStat } from './process-liveness.ts'

const SIGKILL = 9

/** Starts the plan and sees it through to `ready`; kills what it started when something fails. */
export async function driveCreate(assembly: Assembly): Promise<CreatedContainer> {
  const { options, plan } = assembly
  const session = (options.start ?? startPlan)(plan, {
    stdio: options.stdio,
    preserved: options.preserved ?? [],
    descriptors: plan.descriptors.slice(1).map((name) => assembly.descriptors.get(name) ?? -1),
  })
  const progress: { pid?: number; record?: ContainerRecord } = {}
  try {
    await untilReady(assembly, session, progress)
    if (options.startAtOnce === true) await untilStarted(assembly, session)
  } catch (error) {
    killInit(progress.pid)
    endSession(session)
    throw error
  }
  const { pid, record } = progress
  if (pid === undefined || record === undefined) {
    endSession(session)
    throw new TsrunError(
      'internal',
      `cannot create container "${options.id}": the executor reported no pid`,
    )
  }
  if (options.supervise === true) return { pid, record, exited: awaitExit(assembly, session) }
  endSession(session)
  return { pid, record }
}

function endSession(session: ExecutorSession): void {
  session[Symbol.dispose]()
  if (session.launcher.pid > 0) reapLauncher(session.launcher.pid)
}

interface Progress {
  pid?: number
  record?: ContainerRecord
}

async function untilReady(
  assembly: Assembly,
  session: ExecutorSession,
  progress: Progress,
): Promise<void> {
  for (;;) {
    const event = await receiveEvent(session.report.fd)
    if (event.type === 'pid') progress.pid = event.pid
    else if (event.type !== 'sync') throw failureOf(assembly, event)
    else if (event.point === 'ready') break
    else {
      await answerSync(assembly, event.point, progress.pid ?? 0)
      reply(session.report.fd, progress.pid ?? 1)
    }
  }
  progress.record = recordOf(assembly, progress.pid ?? 0)
  if (assembly.options.pidFile !== undefined)
    writePidFile(assembly.options.pidFile, progress.record.pid)
  writeContainerFile(
    assembly.options.root,
    assembly.options.id,
    'state.json',
    JSON.stringify(progress.record),
  )
  reply(session.report.fd)
}

async function answerSync(
  assembly: Assembly,
  point: 'mappings' | 'hooks',
  pid: number,
): Promise<void> {
  const { config, options, bundle } = assembly
  if (point === 'mappings') {
    writeIdMappings(pid, config)
    return
  }
  const state = {
    ociVersion: config.ociVersion,
    id: options.id,
    status: 'creating',
    pid,
    bundle,
    annotations: config.annotations ?? {},
  }
  await runHooks(config, 'prestart', state)
  await runHooks(config, 'createRuntime', state)
}

async function untilStarted(assembly: Assembly, session: ExecutorSession): Promise<void> {
  const event = await receiveEvent(session.report.fd)
  if (event.type !== 'starting') throw failureOf(assembly, event)
  if (assembly.options.supervise === true) return
  // The end of the stream is the exec; a supervised launcher keeps it open, and tells by `exited`.
  const next = await receiveEvent(session.report.fd)
  if (next.type !== 'end') throw failureOf(assembly, next)
}

/** The error for an event that ends a plan too early. */
function failureOf(assembly: Assembly, event: ExecutorEvent): TsrunError {
  const { config, options, plan } = assembly
  if (event.type === 'failed') {
    const cause = explainFailure(plan, config, config.process?.args ?? [], event.pc, event.errno)
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

function recordOf(assembly: Assembly, pid: number): ContainerRecord {
  const { options, config, bundle, rootfs, cgroup } = assembly
  const stat = readProcStat(pid)
  if (stat === undefined)
    throw new TsrunError('internal', `cannot create container "${options.id}": its init is gone`)
  return {
    ociVersion: config.ociVersion,
    id: options.id,
    bundle,
    rootfs,
    created: new Date().toISOString(),
    pid,
    startTime: stat.startTime,
    ...(cgroup === undefined ? {} : { cgroup: cgroup.path }),
    owner: process.geteuid?.() ?? 0,
  }
}

/** Digits without a newline, complete when it appears: callers read it right after us. */
export function writePidFile(path: string, pid: number): void {
  const temporary = `${path}.tmp-${process.pid}`
  writeFileSync(temporary, String(pid), { mode: 0o644 })
  renameSync(temporary, path)
}

function killInit(pid: number | undefined): void {
  if (pid === undefined) return
  const stat = readProcStat(pid)
  using pidfd = stat === undefined ? undefined : openProcess(pid, stat.startTime)
  if (pidfd !== undefined) pidfdSendSignal(pidfd.fd, SIGKILL)
}

async function awaitExit(assembly: Assembly, session: ExecutorSession): Promise<ExitStatus> {
  try {
    for (;;) {
      const event = await receiveEvent(session.report.fd)
      if (event.type === 'exited') return decodeWaitStatus(event.status)
      if (event.type === 'failed') throw failureOf(assembly, event)
      if (event.type === 'end') {
        throw new TsrunError(
          'internal',
          'cannot tell how the container ended: its supervisor was killed',
        )
      }
    }
  } finally {
    endSession(session)
  }
}

/** wait(2)'s status word. */
export function decodeWaitStatus(status: number): ExitStatus {
  const signal = status & 0x7f
  return signal === 0
    ? { exitCode: (status >> 8) & 0xff, signal: 0 }
    : { exitCode: 128 + signal, signal }
}
