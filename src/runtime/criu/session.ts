/**
 * A conversation with `criu swrk`: one message each way on a SOCK_SEQPACKET socket (criu.org/RPC).
 *
 *   tsrun                              criu
 *     │ version, keep open ─────────────►│
 *     │◄──────────────────────── version │
 *     │ dump | pre-dump | restore ──────►│
 *     │◄───────────────── notify: script │   any number of times, a descriptor may come along
 *     │ notify, success ────────────────►│
 *     │◄──────── dump | pre-dump | restore, success or errno
 *     │                                  │ exits
 */
import { TsrunError } from '../../errors.ts'
import { errnoName } from '../../linux/errno.ts'
import { type ExecutorSession, startPlan } from '../../native/executor.ts'
import { receiveEvent } from '../../native/executor-protocol.ts'
import { OwnedFd } from '../../native/owned-fd.ts'
import { untilReadable } from '../../native/readiness.ts'
import { newBatch, runBatch } from '../../native/run-batch.ts'
import { type ExitStatus, reap, seqpacketPair } from '../../native/syscalls.ts'
import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import type { Plan } from '../../plan/plan.ts'
import { explainFailure } from '../explain-failure.ts'
import { CriuError, criuIsGone } from './criu-error.ts'
import { type CriuOptions, type CriuResponse, decodeResponse, encodeRequest } from './messages.ts'

const OLDEST_VERSION = 31600
const FEATURE_NAMES = { trackMemory: 'memory tracking', lazyPages: 'lazy pages' } as const
const MAX_RESPONSE = 64 * 1024
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const MSG_CMSG_CLOEXEC = 0x40000000
const SCM_RIGHTS = 1
const CONTROL_SIZE = 24 // struct cmsghdr and one descriptor, padded (cmsg(3))

/** A notify script of criu's, with the descriptor that came along. */
export interface Notification {
  readonly script: string
  readonly pid: number | undefined
  readonly descriptor: OwnedFd | undefined
}

export interface StartCriuOptions {
  readonly plan: Plan
  /** What the plan was made of. */
  readonly config: RuntimeConfig
  readonly stdio: readonly [number, number, number]
  /** Become 4, 5, … in criu. */
  readonly inherited?: readonly number[]
}

export class CriuSession implements Disposable {
  readonly #session: ExecutorSession
  readonly #socket: OwnedFd

  private constructor(session: ExecutorSession, socket: OwnedFd) {
    this.#session = session
    this.#socket = socket
  }

  /** Starts criu and makes sure that it is new enough. Throws TsrunError. */
  static async start(options: StartCriuOptions): Promise<CriuSession> {
    const [ours, theirs] = seqpacketPair()
    using closing = theirs
    let session: CriuSession | undefined
    try {
      const executor = startPlan(options.plan, {
        stdio: options.stdio,
        preserved: [closing.fd, ...(options.inherited ?? [])],
        descriptors: [],
      })
      session = new CriuSession(executor, ours)
      await untilExecuted(executor, options.config)
    } catch (error) {
      if (session === undefined) ours.close()
      else await session.end()
      throw error
    }
    closing.close()
    return session
  }

  get pid(): number {
    return this.#session.launcher.pid
  }

  /** Asks for the version, and for features that the request to come needs. */
  async check(features: {
    readonly trackMemory?: boolean
    readonly lazyPages?: boolean
  }): Promise<void> {
    this.#send(encodeRequest('version', { keepOpen: true }))
    const { version } = (await this.#receive()).response
    if (version < OLDEST_VERSION) {
      throw new TsrunError('failed-precondition', `criu is too old: ${versionText(version)}`, {
        hint: 'install criu 3.16 or newer',
      })
    }
    if (Object.keys(features).length === 0) return
    this.#send(encodeRequest('feature-check', { keepOpen: true, features }))
    const { response } = await this.#receive()
    for (const name of ['trackMemory', 'lazyPages'] as const) {
      if (features[name] !== true || response.features[name]) continue
      throw new TsrunError(
        'failed-precondition',
        `criu cannot do this here: it lacks ${FEATURE_NAMES[name]}`,
        {
          hint: 'criu check --all says what this kernel is missing',
        },
      )
    }
  }

  /**
   * Makes the request and answers every notification by `notified`; when that throws, criu is told to
   * undo what it did. Throws TsrunError when criu failed.
   */
  async request(
    type: 'dump' | 'pre-dump' | 'restore',
    options: CriuOptions,
    notified: (notification: Notification) => Promise<void> | void,
  ): Promise<CriuResponse> {
    this.#send(encodeRequest(type, { options }))
    let refusal: unknown
    for (;;) {
      const { response, descriptor } = await this.#receive()
      using _closing = descriptor
      if (response.type !== 'notify') {
        if (refusal !== undefined) throw refusal
        if (response.success) return response
        throw failureOf(response)
      }
      try {
        await notified({ script: response.script ?? '', pid: response.pid, descriptor })
      } catch (error) {
        refusal = error
      }
      this.#send(encodeRequest('notify', { notifySuccess: refusal === undefined }))
    }
  }

  /** Hangs up and waits until criu has ended. */
  async end(): Promise<ExitStatus | undefined> {
    this.#socket.close()
    const { pidfd } = this.#session.launcher
    if (!pidfd.isOpen) return undefined
    await untilReadable(pidfd.fd)
    const status = reap(pidfd.fd, false)
    this.#session[Symbol.dispose]()
    return status
  }

  /** Hangs up: criu gives up what it was doing, and is left to whoever reaps our children. */
  [Symbol.dispose](): void {
    this.#socket.close()
    this.#session[Symbol.dispose]()
  }

  #send(bytes: Buffer): void {
    const batch = newBatch()
    const sent = batch.sys(
      'sendto',
      [this.#socket.fd, batch.bytes(bytes), bytes.length, MSG_NOSIGNAL, 0, 0],
      {
        tolerate: ['EPIPE', 'ECONNRESET'],
      },
    )
    if (runBatch(batch).value(sent) < 0) throw criuIsGone()
  }

  async #receive(): Promise<{ response: CriuResponse; descriptor: OwnedFd | undefined }> {
    await untilReadable(this.#socket.fd)
    const batch = newBatch()
    const buffer = batch.zeros(MAX_RESPONSE)
    const control = batch.zeros(CONTROL_SIZE)
    const vector = batch.words([buffer, MAX_RESPONSE])
    const header = batch.words([0, 0, vector, 1, control, CONTROL_SIZE, 0]) // struct msghdr
    const received = batch.sys(
      'recvmsg',
      [this.#socket.fd, header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC],
      {
        tolerate: ['ECONNRESET'],
      },
    )
    const result = runBatch(batch)
    const length = result.value(received)
    const carried = result.bytes(control)
    const descriptor =
      carried.readInt32LE(12) === SCM_RIGHTS ? new OwnedFd(carried.readInt32LE(16)) : undefined
    try {
      if (length <= 0) throw criuIsGone()
      if (length === MAX_RESPONSE)
        throw new TsrunError(
          'internal',
          `cannot read a response of criu above ${MAX_RESPONSE} bytes`,
        )
      return { response: decodeResponse(result.bytes(buffer).subarray(0, length)), descriptor }
    } catch (error) {
      descriptor?.close()
      throw error
    }
  }
}

async function untilExecuted(session: ExecutorSession, config: RuntimeConfig): Promise<void> {
  const event = await receiveEvent(session.report.fd)
  if (event.type === 'end') return
  if (event.type === 'failed')
    throw explainFailure(session.plan, config, ['criu'], event.pc, event.errno)
  throw new TsrunError('internal', `cannot start criu: ${event.type}`)
}

function failureOf({ type, errno, message }: CriuResponse): CriuError {
  const reason = errno === 0 ? '' : `: ${errnoName(errno)}`
  const text = message === undefined || message === '' ? '' : ` (${message})`
  return new CriuError('failed-precondition', `criu failed to ${type}${reason}${text}`)
}

function versionText(version: number): string {
  return [Math.trunc(version / 10000), Math.trunc(version / 100) % 100, version % 100].join('.')
}
