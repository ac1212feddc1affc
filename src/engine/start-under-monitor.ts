/** Lets a container that is ready run, watched by a monitor of its own. */
import { writeFileSync } from 'node:fs'
import { TsrunError } from '../errors.ts'
import { type AttachClient, attachToMonitor } from '../monitor/attach-client.ts'
import { MonitorLaunch } from '../monitor/launch-monitor.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { createContainer } from '../runtime/create.ts'
import { readProcStat } from '../runtime/process-liveness.ts'
import { nameFile } from '../util/name-file.ts'
import { LOG_FILE } from './container-logs.ts'
import type { ContainerRecord } from './container-record.ts'
import type { Engine } from './engine.ts'
import { unmountRoot } from './root-filesystem.ts'

export type { AttachClient }

export interface StartOptions {
  /** For a foreground start: the output from the first byte on. */
  readonly foreground?: {
    readonly onOutput: (stream: 'stdout' | 'stderr', bytes: Buffer) => void
    /** Called with the connection before any output arrives. */
    readonly onAttached: (client: AttachClient) => void
  }
  /** Ends a start that is under way. */
  readonly signal?: AbortSignal | undefined
  /** Called when the program is about to run: `signal` does nothing any more. Throws to stop that. */
  readonly ready?: () => void
  /** Hears of what in the request has no effect. */
  readonly warn: (problem: unknown) => void
  /** As MakeOptions has it: `create` and `start` are told here. */
  readonly onPhase?: ((phase: 'create' | 'start') => void) | undefined
}

export interface RunningContainer {
  readonly id: string
  readonly name: string
  /** The connection to the monitor, when the caller asked for output. */
  readonly client: AttachClient | undefined
}

export interface ReadyContainer {
  readonly record: ContainerRecord
  readonly config: RuntimeConfig
  /** Gives the container's lock back: it runs, and its record says so. */
  readonly unlock: () => void
}

/** Starts the container, whose root is mounted and whose lock this process holds. */
export async function startUnderMonitor(
  engine: Engine,
  { record, config, unlock }: ReadyContainer,
  options: StartOptions,
): Promise<RunningContainer> {
  options.onPhase?.('create')
  const { id } = record
  const directory = engine.containers.directory(id)
  using monitor = launchFor(engine, record, directory)
  let client: AttachClient | undefined
  try {
    const created = await createContainer({
      root: engine.stateRoot,
      id,
      bundle: directory,
      config,
      stdio: monitor.stdio,
      ...(monitor.console === undefined ? {} : { consoleFd: monitor.console }),
      start: monitor.start,
      warn: options.warn,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      ...(options.ready === undefined ? {} : { ready: options.ready }),
      // The monitor holds the output back until we have attached or said `started`.
      startAtOnce: true,
    })
    options.onPhase?.('start')
    // Init has its own copy of the mount: the host's mount table stays clean from here on.
    unmountRoot(engine, id)
    monitor.created(created.pid)
    client = await attach(directory, options)
    const { pid, startTime } = created.record
    engine.containers.write({
      ...record,
      state: {
        status: 'running',
        pid,
        startTime,
        monitorPid: monitor.pid,
        ...monitorBirth(monitor.pid),
        startedAt: new Date().toISOString(),
      },
    })
    if (record.request.pidFile !== undefined) writePidFile(record.request.pidFile, pid)
    unlock()
    monitor.started()
    return { id, name: record.name, client }
  } catch (error) {
    monitor.abandon()
    client?.[Symbol.dispose]()
    throw error
  }
}

function monitorBirth(pid: number): { readonly monitorStartTime?: number } {
  const startTime = readProcStat(pid)?.startTime
  return startTime === undefined ? {} : { monitorStartTime: startTime }
}

function writePidFile(path: string, pid: number): void {
  nameFile(path, () => writeFileSync(path, String(pid)))
}

async function attach(
  directory: string,
  { foreground }: StartOptions,
): Promise<AttachClient | undefined> {
  if (foreground === undefined) return undefined
  const { onOutput } = foreground
  const client = await attachToMonitor(directory, {
    output: true,
    patient: true,
    owner: true,
    onOutput,
    onAttached: foreground.onAttached,
  })
  if (client === undefined) {
    throw new TsrunError('internal', 'cannot attach to the container: its monitor is gone')
  }
  return client
}

function launchFor(engine: Engine, record: ContainerRecord, directory: string): MonitorLaunch {
  return new MonitorLaunch({
    directory,
    logFile: LOG_FILE,
    terminal: record.terminal,
    input: record.openStdin,
    inputOnce: record.openStdin && !record.terminal,
    rows: 0,
    columns: 0,
    cleanup: [...engine.command, 'internal-cleanup', record.id],
  })
}
