/** Lets a container that is ready run, watched by a monitor of its own. */
import { writeFileSync } from 'node:fs'
import { TsrunError } from '../errors.ts'
import { type AttachClient, attachToMonitor } from '../monitor/attach-client.ts'
import { MonitorLaunch } from '../monitor/launch-monitor.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { createContainer } from '../runtime/create.ts'
import { readProcStat } from '../runtime/process-liveness.ts'
import { cgroupOptionsOf } from '../runtime/rootless/cgroup-options.ts'
import { nameFile } from '../util/name-file.ts'
import type { ContainerRecord } from './container-record.ts'
import type { Engine } from './engine.ts'
import { containerEvent, volumeEvents } from './events/event.ts'
import { recordEvent } from './events/event-log.ts'
import { saveHealthCheck } from './health-check.ts'
import { monitorOptionsOf } from './monitor-options.ts'
import { mayRestart } from './next-restart.ts'
import { unmountRoot } from './root-filesystem.ts'
import { startNetwork } from './start-network.ts'

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
  const foreground = options.foreground !== undefined
  using monitor = new MonitorLaunch(monitorOptionsOf(engine, record, { foreground }))
  let client: AttachClient | undefined
  try {
    const network = await startNetwork(engine, record, config)
    const created = await createContainer({
      root: engine.stateRoot,
      id,
      bundle: directory,
      ...network,
      stdio: monitor.stdio,
      ...(monitor.console === undefined ? {} : { consoleFd: monitor.console }),
      start: monitor.start,
      warn: options.warn,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      ...(options.ready === undefined ? {} : { ready: options.ready }),
      // The monitor holds the output back until we have attached or said `started`.
      startAtOnce: true,
      ...(await cgroupOptionsOf(config)),
    })
    options.onPhase?.('start')
    // Init has its own copy of the mount: the host's mount table stays clean from here on.
    unmountRoot(engine, id)
    monitor.created(created.pid)
    if (record.health !== undefined) await saveHealthCheck(engine, record, config)
    client = await attach(directory, record, options)
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
        ...restartsOf(record),
      },
    })
    if (record.request.pidFile !== undefined) writePidFile(record.request.pidFile, pid)
    unlock()
    for (const event of volumeEvents(record, 'mount')) recordEvent(engine.dataRoot, event)
    recordEvent(engine.dataRoot, containerEvent(record, 'start'))
    monitor.started()
    return { id, name: record.name, client }
  } catch (error) {
    monitor.abandon()
    client?.[Symbol.dispose]()
    throw error
  }
}

function restartsOf({ state }: ContainerRecord): Partial<ContainerRecord['state']> {
  const { restartCount, restartStep } = state
  return {
    ...(restartCount === undefined ? {} : { restartCount }),
    ...(restartStep === undefined ? {} : { restartStep }),
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
  record: ContainerRecord,
  { foreground }: StartOptions,
): Promise<AttachClient | undefined> {
  if (foreground === undefined) return undefined
  const { onOutput } = foreground
  const client = await attachToMonitor(directory, {
    output: true,
    patient: true,
    owner: !mayRestart(record),
    givesInput: true,
    onOutput,
    onAttached: foreground.onAttached,
  })
  if (client === undefined) {
    throw new TsrunError('internal', 'cannot attach to the container: its monitor is gone')
  }
  return client
}
