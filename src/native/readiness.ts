/**
 * Waits for any number of descriptors with one thread of libuv's pool (epoll(7)).
 *
 * A blocking call for each wait would take the pool's four threads from files, zlib and name look-up,
 * and process.exit() would hang: libuv joins its threads, and theirs would never come back.
 */
import { SyscallError } from '../errors.ts'
import { errnoName } from '../linux/errno.ts'
import { O_CLOEXEC } from '../linux/open-flags.ts'
import { hostArchitecture } from './library.ts'
import { OwnedFd } from './owned-fd.ts'
import { newBatch, runBatch, runBatchAsync } from './run-batch.ts'
import { waitReadable } from './syscalls.ts'

const EPOLL_CTL_ADD = 1 // linux/eventpoll.h
const EPOLL_CTL_DEL = 2
const EPOLLIN = 1
const EPOLLPRI = 2
const EPOLLOUT = 4
const F_DUPFD_CLOEXEC = 1030
const MAX_EVENTS = 64
const MAX_TIMEOUT_MS = 2 ** 31 - 1 // setTimeout() takes no more; 24 days are for ever
const WAKE = 0 // the id of the eventfd; waits count from 1

interface Wait {
  readonly descriptor: OwnedFd
  /** Stops what could give the wait up. */
  readonly disarm: () => void
  readonly resolve: (isReady: boolean) => void
  readonly reject: (error: unknown) => void
}

let poller: Poller | undefined

/**
 * Waits until `fd` is readable or its other end is closed, at most `timeoutMs` (-1: for ever); false
 * when the time ran out, or `signal` fired. The caller may close `fd` meanwhile: the wait has a copy.
 */
export async function untilReadable(
  fd: number,
  timeoutMs = -1,
  signal?: AbortSignal,
): Promise<boolean> {
  if (timeoutMs === 0) return waitReadable(fd, 0)
  return await wait(fd, EPOLLIN, timeoutMs, signal)
}

/** Waits until `fd` takes bytes; false when `signal` fired. */
export async function untilWritable(fd: number, signal: AbortSignal): Promise<boolean> {
  return await wait(fd, EPOLLOUT, -1, signal)
}

/**
 * Waits until the kernel has changed the file behind `fd`, such as cgroup.events, since it was last
 * read through `fd`, at most `timeoutMs`; false when the time ran out (cgroup-v2.rst, "poll").
 */
export async function untilChanged(fd: number, timeoutMs: number): Promise<boolean> {
  return await wait(fd, EPOLLPRI, timeoutMs)
}

async function wait(
  fd: number,
  events: number,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  poller ??= new Poller()
  return await poller.wait(fd, events, timeoutMs, signal)
}

class Poller {
  readonly #epoll: OwnedFd
  readonly #wake: OwnedFd
  readonly #waits = new Map<number, Wait>()
  #lastId = WAKE
  #isPolling = false

  constructor() {
    const batch = newBatch()
    const epoll = batch.sys('epoll_create1', [O_CLOEXEC])
    const wake = batch.sys('eventfd2', [0, O_CLOEXEC])
    batch.run('epoll_ctl', [epoll, EPOLL_CTL_ADD, wake, batch.bytes(encodeEvent(EPOLLIN, WAKE))])
    const result = runBatch(batch)
    this.#epoll = new OwnedFd(result.value(epoll))
    this.#wake = new OwnedFd(result.value(wake))
    process.on('exit', () => this.#wakeUp())
  }

  wait(fd: number, events: number, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    const id = ++this.#lastId
    const descriptor = this.#add(fd, events, id)
    return new Promise((resolve, reject) => {
      const timer =
        timeoutMs < 0 || timeoutMs > MAX_TIMEOUT_MS
          ? undefined
          : setTimeout(() => this.#giveUp(id), timeoutMs)
      const giveUp = (): void => this.#giveUp(id)
      signal?.addEventListener('abort', giveUp)
      const disarm = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', giveUp)
      }
      this.#waits.set(id, { descriptor, disarm, resolve, reject })
      if (!this.#isPolling) void this.#poll()
    })
  }

  // One descriptor can be waited for twice, but be in an epoll set only once: so it is a copy.
  #add(fd: number, events: number, id: number): OwnedFd {
    const batch = newBatch()
    const copy = batch.sys('fcntl', [fd, F_DUPFD_CLOEXEC, 3])
    const event = batch.bytes(encodeEvent(events, id))
    const added = batch.sys('epoll_ctl', [this.#epoll.fd, EPOLL_CTL_ADD, copy, event], {
      tolerate: ['*'],
    })
    const result = runBatch(batch)
    const descriptor = new OwnedFd(result.value(copy))
    const errno = -result.value(added)
    if (errno === 0) return descriptor
    descriptor.close()
    throw new SyscallError('epoll_ctl', errno, errnoName(errno))
  }

  /** Takes the wait out of the set; undefined when it is over already. */
  #take(id: number): Wait | undefined {
    const wait = this.#waits.get(id)
    if (wait === undefined) return undefined
    this.#waits.delete(id)
    wait.disarm()
    const batch = newBatch()
    const copy = wait.descriptor.release()
    batch.run('epoll_ctl', [this.#epoll.fd, EPOLL_CTL_DEL, copy, 0])
    batch.run('close', [copy])
    runBatch(batch)
    return wait
  }

  #giveUp(id: number): void {
    this.#take(id)?.resolve(false)
    if (this.#waits.size === 0) this.#wakeUp()
  }

  /** Runs while anybody waits; a wait that is added meanwhile is seen by the call in progress. */
  async #poll(): Promise<void> {
    this.#isPolling = true
    try {
      while (this.#waits.size > 0)
        for (const id of await this.#readyIds()) this.#take(id)?.resolve(true)
    } catch (error) {
      for (const id of [...this.#waits.keys()]) this.#take(id)?.reject(error)
    } finally {
      this.#isPolling = false
    }
  }

  async #readyIds(): Promise<number[]> {
    const batch = newBatch()
    const events = batch.zeros(MAX_EVENTS * eventSize())
    const count = batch.sys('epoll_pwait', [this.#epoll.fd, events, MAX_EVENTS, -1, 0, 8])
    const result = await runBatchAsync(batch)
    const bytes = result.bytes(events)
    const ids = Array.from({ length: result.value(count) }, (_, i) =>
      bytes.readUInt32LE((i + 1) * eventSize() - 8),
    )
    if (ids.includes(WAKE)) this.#drain()
    return ids
  }

  #wakeUp(): void {
    const batch = newBatch()
    batch.run('write', [this.#wake.fd, batch.words([1]), 8])
    runBatch(batch)
  }

  #drain(): void {
    const batch = newBatch()
    batch.run('read', [this.#wake.fd, batch.zeros(8), 8])
    runBatch(batch)
  }
}

/** struct epoll_event {u32 events; u64 data}: packed on x86_64 only. */
function eventSize(): number {
  return hostArchitecture() === 'x86_64' ? 12 : 16
}

function encodeEvent(events: number, id: number): Buffer {
  const event = Buffer.alloc(eventSize())
  event.writeUInt32LE(events, 0)
  event.writeUInt32LE(id, event.length - 8)
  return event
}
