/** Starts a container's plan under a monitor of its own instead of under this process. */
import { constants, openSync } from 'node:fs'
import { join } from 'node:path'
import { TsrunError } from '../errors.ts'
import { errnoName } from '../linux/errno.ts'
import {
  type ExecutorSession,
  type StartOptions,
  sealedExecutable,
  startExecutable,
} from '../native/executor.ts'
import { OwnedFd } from '../native/owned-fd.ts'
import { pipePair } from '../native/pass-descriptors.ts'
import { newBatch, runBatch } from '../native/run-batch.ts'
import { sealedMemfd, seqpacketPair, streamPair } from '../native/syscalls.ts'
import type { Plan } from '../plan/plan.ts'
import { encodePlan } from '../plan/wire-format.ts'
import {
  CONTROL_RECORD_SIZE,
  type ControlEvent,
  type ControlType,
  decodeControl,
  encodeControl,
  encodeMonitorConfig,
  type MonitorConfig,
} from './monitor-protocol.ts'

/** What {@link MonitorConfig} says, and where; what is left out is not wanted. */
export interface MonitorOptions
  extends Pick<
      MonitorConfig,
      'logFile' | 'terminal' | 'input' | 'inputOnce' | 'rows' | 'columns' | 'cleanup'
    >,
    Partial<
      Pick<
        MonitorConfig,
        'logMaxSize' | 'logMaxFiles' | 'timeoutMs' | 'check' | 'stopSignal' | 'stopTimeoutMs'
      >
    > {
  /** The container's folder: log, exit record and attach socket appear there. */
  readonly directory: string
  /** Pidfds of processes that the container dies with; closed with the launch. */
  readonly tethers?: readonly OwnedFd[]
}

const SIGTERM = 15
const DEFAULTS = {
  logMaxSize: 0,
  logMaxFiles: 1,
  timeoutMs: 0,
  check: undefined,
  stopSignal: SIGTERM,
  stopTimeoutMs: undefined,
} as const

/**
 * A monitor about to be started. Pass {@link MonitorLaunch.stdio}, {@link MonitorLaunch.console} and
 * {@link MonitorLaunch.start} to createContainer, then say {@link MonitorLaunch.created} and
 * {@link MonitorLaunch.started}. When this process dies in between, the monitor runs the clean-up command.
 */
export class MonitorLaunch implements Disposable {
  readonly stdio: readonly [number, number, number]
  /** The connected socket for the pty's master, when there is a terminal. */
  readonly console: number | undefined
  readonly #options: MonitorOptions
  readonly #ours: Record<'input' | 'stdout' | 'stderr' | 'null', OwnedFd>
  readonly #theirs: OwnedFd[] = []
  #control: OwnedFd | undefined
  #pid = 0

  constructor(options: MonitorOptions) {
    this.#options = options
    const nothing = new OwnedFd(openSync('/dev/null', constants.O_RDWR))
    this.#ours = { input: nothing, stdout: nothing, stderr: nothing, null: nothing }
    if (options.terminal) {
      const [ours, theirs] = streamPair()
      this.#ours.input = ours
      this.#theirs.push(theirs)
      this.stdio = [nothing.fd, nothing.fd, nothing.fd]
      this.console = theirs.fd
    } else {
      const stdin = options.input ? this.#pipe('input') : nothing.fd
      this.stdio = [stdin, this.#pipe('stdout'), this.#pipe('stderr')]
      this.console = undefined
    }
  }

  /** The monitor's pid once {@link start} has returned. */
  get pid(): number {
    return this.#pid
  }

  /** As startPlan of native/executor.ts. The monitor's first process plays the launcher: it ends at once. */
  readonly start = (plan: Plan, options: StartOptions): ExecutorSession => {
    const [report, theirReport] = seqpacketPair()
    const [control, theirControl] = seqpacketPair()
    using closingReport = theirReport
    using closingControl = theirControl
    using image = sealedMemfd('tsrun-plan', encodePlan(plan), false)
    const preserved = options.preserved ?? []
    const descriptors = [
      ...options.stdio,
      ...preserved,
      image.fd,
      closingReport.fd,
      ...options.descriptors,
    ]
    using config = this.#config(descriptors.length, String(3 + preserved.length))
    const launcher = this.#spawn(config.fd, closingControl.fd, descriptors)
    this.#control = control
    this.#closePipes()
    closingControl.close()
    closingReport.close()
    this.#receiveHello()
    return {
      plan,
      launcher,
      report,
      [Symbol.dispose]() {
        report.close()
        launcher.pidfd.close()
      },
    }
  }

  /** Says which of its children the container's init is. */
  created(pid: number): void {
    this.#say('created', pid)
  }

  /** From now on the container lives without this process. */
  started(): void {
    this.#say('started')
  }

  /** This process removes the container itself; the monitor just goes. */
  abandon(): void {
    if (this.#control?.isOpen) this.#say('abandon')
  }

  [Symbol.dispose](): void {
    this.#closePipes()
    this.#control?.close()
    for (const tether of this.#options.tethers ?? []) tether.close()
  }

  #pipe(end: 'input' | 'stdout' | 'stderr'): number {
    const [reader, writer] = pipePair()
    const [ours, theirs] = end === 'input' ? [writer, reader] : [reader, writer]
    this.#ours[end] = ours
    this.#theirs.push(theirs)
    return theirs.fd
  }

  #config(descriptorCount: number, initArgument: string): OwnedFd {
    return sealedMemfd(
      'tsrun-monitor-config',
      encodeMonitorConfig({
        ...DEFAULTS,
        ...this.#options,
        tetherCount: this.#options.tethers?.length ?? 0,
        descriptorCount,
        initArgument,
      }),
      false,
    )
  }

  #spawn(config: number, control: number, descriptors: readonly number[]) {
    const { directory, logFile, tethers = [] } = this.#options
    using folder = new OwnedFd(openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY))
    const { input, stdout, stderr, null: nothing } = this.#ours
    using log =
      logFile === undefined
        ? undefined
        : new OwnedFd(openSync(join(directory, logFile), 'a', 0o600))
    return startExecutable(
      sealedExecutable('tsrun-monitor').fd,
      ['tsrun-monitor'],
      [
        config,
        folder.fd,
        log?.fd ?? nothing.fd,
        control,
        input.fd,
        stdout.fd,
        stderr.fd,
        sealedExecutable('tsrun-init').fd,
        tethers[0]?.fd ?? nothing.fd,
        tethers[1]?.fd ?? nothing.fd,
        ...descriptors,
      ],
    )
  }

  #receiveHello(): void {
    const event = receiveControl(this.#openControl())
    if (event.type === 'hello') {
      this.#pid = event.pid
      return
    }
    const errno = event.type === 'failed' ? errnoName(event.errno) : undefined
    const step = event.type === 'failed' ? event.step : 'start'
    throw new TsrunError(
      'internal',
      `cannot start the monitor in "${this.#options.directory}": ${step}: ${errno ?? 'it ended at once'}`,
    )
  }

  #say(type: ControlType, value = 0): void {
    const MSG_NOSIGNAL = 0x4000
    const batch = newBatch()
    const record = batch.bytes(encodeControl(type, value))
    // EPIPE: the monitor has already seen the end of a very short container.
    batch.run('sendto', [this.#openControl(), record, CONTROL_RECORD_SIZE, MSG_NOSIGNAL, 0, 0], {
      tolerate: ['EPIPE', 'ECONNRESET'],
    })
    runBatch(batch)
  }

  #openControl(): number {
    if (this.#control === undefined) throw new RangeError('the monitor is not started')
    return this.#control.fd
  }

  #closePipes(): void {
    for (const fd of [...Object.values(this.#ours), ...this.#theirs]) fd.close()
  }
}

function receiveControl(fd: number): ControlEvent {
  const batch = newBatch()
  const buffer = batch.zeros(CONTROL_RECORD_SIZE)
  const length = batch.sys('recvfrom', [fd, buffer, CONTROL_RECORD_SIZE, 0, 0, 0], {
    tolerate: ['ECONNRESET'],
  })
  const result = runBatch(batch)
  return decodeControl(result.bytes(buffer), result.value(length))
}
