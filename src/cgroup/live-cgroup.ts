/** A cgroup that is there, through its core files: who is in it, freezing it, killing it, its end (cgroup-v2.rst). */
import { constants, readSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from '../linux/open-flags.ts'
import { openIfThere } from '../native/owned-fd.ts'
import { untilChanged } from '../native/readiness.ts'
import { newBatch, runBatch } from '../native/run-batch.ts'
import { cgroupProcesses } from './cgroup-tree.ts'
import { readIfThere } from './read-if-there.ts'
import { removeCgroupTree } from './remove-cgroup-tree.ts'

const POLLPRI = 2
const EMPTY_TIMEOUT_MS = 10_000
const EVENT_PATIENCE_MS = 20

export class LiveCgroup {
  /** Absolute path of the directory. */
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  /** The text of a file; empty when it, or the cgroup, is not there. */
  read(file: string): string {
    return readIfThere(join(this.path, file)).trim()
  }

  /** Host pids of all processes in it and below. */
  processes(): readonly number[] {
    return cgroupProcesses(this.path)
  }

  get isPopulated(): boolean {
    return this.#events().includes('populated 1')
  }

  /** Kills every process in it and below (cgroup.kill, 5.14). */
  kill(): void {
    try {
      writeFileSync(join(this.path, 'cgroup.kill'), '1')
    } catch (error) {
      if (errnoCodeOf(error) !== 'ENOENT' && errnoCodeOf(error) !== 'ENODEV') throw error
    }
  }

  /**
   * Freezes or thaws, and waits until that is so.
   * @throws TsrunError `failed-precondition` when the kernel refuses, or after `timeoutMs` milliseconds; a
   * freeze is taken back then
   */
  freeze(frozen: boolean, timeoutMs = EMPTY_TIMEOUT_MS): void {
    try {
      writeFileSync(join(this.path, 'cgroup.freeze'), frozen ? '1' : '0')
    } catch (cause) {
      throw new TsrunError(
        'failed-precondition',
        `cannot ${frozen ? 'freeze' : 'thaw'} the cgroup ${this.path}: ${errnoCodeOf(cause)}`,
        { cause },
      )
    }
    const deadline = Date.now() + timeoutMs
    const wanted = `frozen ${frozen ? 1 : 0}`
    for (let events = this.#events(); !events.includes(wanted); events = this.#events()) {
      // Removed meanwhile: its processes have ended.
      if (events.length < 2) return
      if (Date.now() > deadline) this.#giveUpFreezing(frozen, timeoutMs)
      this.#waitForEvent(100)
    }
  }

  #giveUpFreezing(frozen: boolean, timeoutMs: number): never {
    // Half frozen is worse than running: who is stopped waits for who is not.
    if (frozen) writeFileSync(join(this.path, 'cgroup.freeze'), '0')
    const state = frozen ? 'freeze' : 'thaw'
    throw new TsrunError(
      'failed-precondition',
      `cannot ${state} the cgroup ${this.path}: not all of it did within ${timeoutMs / 1000} s`,
      {
        hint: frozen
          ? 'it runs on; look for processes in uninterruptible sleep (state D) and try again'
          : 'a cgroup above it is frozen: write 0 into the cgroup.freeze there',
      },
    )
  }

  /** Kills what is left, waits until it is empty, and removes it with all below it. Idempotent. */
  async remove(): Promise<void> {
    if (this.#isRemovedAtOnce()) return
    if (this.isPopulated) {
      this.kill()
      await this.#waitUntilEmpty()
    }
    await removeCgroupTree(this.path)
  }

  // What a container leaves is nearly always one empty directory.
  #isRemovedAtOnce(): boolean {
    try {
      rmdirSync(this.path)
      return true
    } catch (error) {
      // The slow way waits for the last process, and says what else is wrong.
      return errnoCodeOf(error) === 'ENOENT'
    }
  }

  #events(): readonly string[] {
    return this.read('cgroup.events').split('\n')
  }

  async #waitUntilEmpty(): Promise<void> {
    const deadline = Date.now() + EMPTY_TIMEOUT_MS
    while (this.isPopulated) {
      if (Date.now() > deadline) {
        throw new TsrunError(
          'unavailable',
          `cannot empty the cgroup ${this.path}: its processes do not end`,
          {
            hint: 'look for processes in uninterruptible sleep (state D)',
          },
        )
      }
      await this.#waitForChange()
    }
  }

  #eventBatch(timeoutMs: number) {
    const batch = newBatch()
    const path = batch.string(join(this.path, 'cgroup.events'))
    const fd = batch.sys('openat', [AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0], {
      tolerate: ['ENOENT', 'ENODEV'],
    })
    const gone = batch.label()
    batch.branch(fd, 'lt', 0, gone)
    // Read first: only a change after a read is an event (cgroup-v2.rst, poll on cgroup.events).
    const buffer = batch.zeros(128)
    batch.run('read', [fd, buffer, 128], { tolerate: ['ENODEV'] })
    const polled = batch.zeros(8)
    batch.store(4, polled, 0, fd)
    batch.store(2, polled, 4, POLLPRI)
    const timeout = batch.words([Math.floor(timeoutMs / 1000), (timeoutMs % 1000) * 1_000_000])
    batch.run('ppoll', [polled, 1, timeout, 0, 8], { tolerate: ['*'] })
    batch.run('close', [fd])
    batch.place(gone)
    return batch
  }

  // A change between the check and the read is missed by the poll: its timeout is the safety net.
  #waitForEvent(timeoutMs: number): void {
    runBatch(this.#eventBatch(Math.min(timeoutMs, EVENT_PATIENCE_MS)))
  }

  async #waitForChange(): Promise<void> {
    using events = openIfThere(join(this.path, 'cgroup.events'), constants.O_RDONLY)
    if (events === undefined) return
    try {
      readSync(events.fd, Buffer.alloc(128))
    } catch (error) {
      // Removed meanwhile.
      if (errnoCodeOf(error) === 'ENODEV') return
      throw error
    }
    await untilChanged(events.fd, EVENT_PATIENCE_MS)
  }
}
