/** `run`: from a request to a container that runs under its monitor. The table of contents of a start. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TsrunError } from '../errors.ts'
import { type AttachClient, attachToMonitor } from '../monitor/attach-client.ts'
import { MonitorLaunch } from '../monitor/launch-monitor.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { createContainer } from '../runtime/create.ts'
import { nameFile } from '../util/name-file.ts'
import { buildContainerConfig, completeRecord, newRecord } from './build-container.ts'
import { type ImageOptions, imageOf } from './container-image.ts'
import { LOG_FILE } from './container-logs.ts'
import type { ContainerRecord } from './container-record.ts'
import type { UnfinishedContainer } from './container-store.ts'
import type { Engine } from './engine.ts'
import { writeEngineFiles } from './engine-files.ts'
import { lookUpHost } from './host-facts.ts'
import { releaseContainer } from './release-container.ts'
import { discardRoot, mountRoot, unmountRoot } from './root-filesystem.ts'
import type { RunRequest } from './run-request.ts'

export type { AttachClient }

export interface RunOptions extends ImageOptions {
  /** For a foreground run: the output from the first byte on. */
  readonly foreground?: {
    readonly onOutput: (stream: 'stdout' | 'stderr', bytes: Buffer) => void
    /** Called with the connection before any output arrives. */
    readonly onAttached: (client: AttachClient) => void
  }
  /** Called when the program is about to run: `signal` does nothing any more. Throws to stop that. */
  readonly ready?: () => void
  /** Where relative paths of volumes begin. */
  readonly workingDirectory: string
  /** Hears of what in the request has no effect. */
  readonly warn: (problem: unknown) => void
}

export interface RunningContainer {
  readonly id: string
  readonly name: string
  /** The connection to the monitor, when the caller asked for output. */
  readonly client: AttachClient | undefined
}

/** Runs a container. When a step fails nothing of it is left. */
export async function runContainer(
  engine: Engine,
  request: RunRequest,
  options: RunOptions,
): Promise<RunningContainer> {
  const image = await imageOf(engine, request, options)
  const host = lookUpHost(request, options.workingDirectory)
  using unfinished = engine.containers.create()
  const { id, directory } = unfinished
  try {
    const claimed = engine.containers.claimName(
      newRecord(id, engine.stateRoot, request, image),
      request.name,
    )
    const rootPath = await mountRoot(engine, id, request, image)
    const config = buildContainerConfig({ id, directory, rootPath, image, request, host })
    const record = completeRecord(claimed, config, directory)
    writeBundle(directory, config, record)
    return await startUnderMonitor(engine, { unfinished, record, config, options })
  } catch (error) {
    await releaseContainer(engine, id)
    discardRoot(engine, id)
    engine.containers.remove(id)
    throw error
  }
}

function writeBundle(directory: string, config: RuntimeConfig, record: ContainerRecord): void {
  const network = record.networkMode === 'host' ? 'host' : 'none'
  writeEngineFiles(directory, {
    hostname: record.hostname,
    network,
    init: record.request.init === true,
  })
  const path = join(directory, 'config.json')
  nameFile(path, () => writeFileSync(path, JSON.stringify(config), { mode: 0o600 }))
}

interface Start {
  readonly unfinished: UnfinishedContainer
  readonly record: ContainerRecord
  readonly config: RuntimeConfig
  readonly options: RunOptions
}

async function startUnderMonitor(
  engine: Engine,
  { unfinished, record, config, options }: Start,
): Promise<RunningContainer> {
  const { id, directory } = unfinished
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
    // Init has its own copy of the mount: the host's mount table stays clean from here on.
    unmountRoot(engine, id)
    monitor.created(created.pid)
    client = await attach(directory, options)
    const { pid, startTime } = created.record
    const state = { pid, startTime, monitorPid: monitor.pid, startedAt: new Date().toISOString() }
    engine.containers.write({ ...record, state: { status: 'running', ...state } })
    unfinished.finish()
    monitor.started()
    return { id, name: record.name, client }
  } catch (error) {
    monitor.abandon()
    client?.[Symbol.dispose]()
    throw error
  }
}

async function attach(
  directory: string,
  { foreground }: RunOptions,
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
