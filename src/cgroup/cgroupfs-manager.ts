/** The cgroup driver that writes files of cgroup v2 itself. */
import {
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  readSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { openIfThere } from '../native/owned-fd.ts'
import { untilChanged } from '../native/readiness.ts'
import { newBatch, runBatch } from '../native/run-batch.ts'
import type { Resources } from '../oci/runtime-config.ts'
import type { CgroupManager } from './cgroup-manager.ts'
import { cgroupDirectories, cgroupProcesses } from './cgroup-tree.ts'
import type { CgroupHierarchy } from './detect.ts'
import { isKernelDefault } from './kernel-defaults.ts'
import { readIfThere } from './read-if-there.ts'
import { refuseTakenCgroup } from './refuse-taken-cgroup.ts'
import { type CgroupWrite, resourcesToFiles, unsupportedResources } from './resources-to-files.ts'

const POLLPRI = 2
const EMPTY_TIMEOUT_MS = 10_000
const EVENT_PATIENCE_MS = 20

/**
 * The directory for `cgroupsPath`: absolute below the mount, relative below our own cgroup, and
 * `/tsrun/<id>` when it is not given. `..` never leaves the mount.
 */
export function cgroupPath(
  hierarchy: CgroupHierarchy,
  cgroupsPath: string | undefined,
  id: string,
): string {
  const wanted = cgroupsPath === undefined || cgroupsPath === '' ? `/tsrun/${id}` : cgroupsPath
  const absolute = wanted.startsWith('/') ? wanted : join(ownCgroup(), wanted)
  return join(hierarchy.mountPoint, join('/', absolute))
}

function ownCgroup(): string {
  const line = readFileSync('/proc/self/cgroup', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith('0::'))
  return line?.slice('0::'.length) ?? '/'
}

export class CgroupfsManager implements CgroupManager {
  readonly path: string
  readonly #hierarchy: CgroupHierarchy

  constructor(hierarchy: CgroupHierarchy, path: string) {
    this.#hierarchy = hierarchy
    this.path = path
  }

  /** Where the cgroup2 file system is mounted. */
  get mountPoint(): string {
    return this.#hierarchy.mountPoint
  }

  create(): void {
    try {
      // The first directory that was made, if any: in an old one somebody may have come to live.
      if (mkdirSync(this.path, { recursive: true, mode: 0o755 }) === undefined)
        refuseTakenCgroup(this.#hierarchy, this.path)
    } catch (cause) {
      if (cause instanceof TsrunError) throw cause
      const code = errnoCodeOf(cause)
      throw new TsrunError(
        'failed-precondition',
        `cannot create the cgroup ${this.path}: ${code}`,
        {
          cause,
          ...(code === 'EROFS' ? { hint: 'remount the cgroup2 file system read-write' } : {}),
        },
      )
    }
  }

  apply(resources: Resources): void {
    const unsupported = unsupportedResources(resources)[0]
    if (unsupported !== undefined) {
      throw new TsrunError(
        'not-implemented',
        `unsupported: linux.resources.${unsupported} (cgroup v2 has no such limit)`,
      )
    }
    const available = this.#available()
    const writes = resourcesToFiles(resources).filter(
      (write) =>
        write.controller === undefined ||
        available.includes(write.controller) ||
        !isKernelDefault(write),
    )
    const needed = new Set(writes.flatMap(({ controller }) => controller ?? []))
    for (const controller of needed)
      if (!available.includes(controller)) throw this.#missingController(controller)
    for (const directory of this.#ancestors()) enableIn(directory, available, needed)
    for (const write of writes) this.#write(write)
  }

  /** runtime-spec `memory.checkBeforeUpdate`: a limit below the usage would start the OOM killer. */
  refuseBelowUsage(resources: Resources): void {
    const { limit = 0, checkBeforeUpdate } = resources.memory ?? {}
    const usage = Number(this.#read('memory.current'))
    if (checkBeforeUpdate !== true || limit <= 0 || usage <= limit) return
    throw new TsrunError(
      'failed-precondition',
      `cannot set the memory limit to ${limit}: the container uses ${usage} bytes`,
      { hint: 'choose a higher limit, or leave out memory.checkBeforeUpdate' },
    )
  }

  processes(): readonly number[] {
    return cgroupProcesses(this.path)
  }

  kill(): void {
    try {
      writeFileSync(join(this.path, 'cgroup.kill'), '1')
    } catch (error) {
      if (errnoCodeOf(error) !== 'ENOENT' && errnoCodeOf(error) !== 'ENODEV') throw error
    }
  }

  freeze(frozen: boolean): void {
    try {
      writeFileSync(join(this.path, 'cgroup.freeze'), frozen ? '1' : '0')
    } catch (cause) {
      throw new TsrunError(
        'failed-precondition',
        `cannot ${frozen ? 'freeze' : 'thaw'} the cgroup ${this.path}: ${errnoCodeOf(cause)}`,
        { cause },
      )
    }
    const deadline = Date.now() + EMPTY_TIMEOUT_MS
    while (!this.#events().includes(`frozen ${frozen ? 1 : 0}`) && Date.now() < deadline)
      this.#waitForEvent(100)
  }

  async remove(): Promise<void> {
    if (this.#isRemovedAtOnce()) return
    if (this.#events().includes('populated 1')) {
      this.kill()
      await this.#waitUntilEmpty()
    }
    for (const directory of [...cgroupDirectories(this.path)].reverse())
      await removeDirectory(directory)
    this.#removeDefaultParent()
  }

  // What a container leaves is nearly always one empty directory.
  #isRemovedAtOnce(): boolean {
    try {
      rmdirSync(this.path)
    } catch (error) {
      // The slow way waits for the last process, and says what else is wrong.
      return errnoCodeOf(error) === 'ENOENT'
    }
    this.#removeDefaultParent()
    return true
  }

  // `tsrun/` is ours alone: it goes with its last container. Another may just be starting there.
  #removeDefaultParent(): void {
    const parent = dirname(this.path)
    if (parent !== join(this.#hierarchy.mountPoint, 'tsrun')) return
    try {
      rmdirSync(parent)
    } catch (error) {
      const code = errnoCodeOf(error)
      if (code !== 'EBUSY' && code !== 'ENOTEMPTY' && code !== 'ENOENT') throw error
    }
  }

  #read(file: string): string {
    return readIfThere(join(this.path, file)).trim()
  }

  #events(): readonly string[] {
    return this.#read('cgroup.events').split('\n')
  }

  async #waitUntilEmpty(): Promise<void> {
    const deadline = Date.now() + EMPTY_TIMEOUT_MS
    while (this.#events().includes('populated 1')) {
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
    const AT_FDCWD = -100
    const fd = batch.sys(
      'openat',
      [AT_FDCWD, batch.string(join(this.path, 'cgroup.events')), 0o2000000, 0],
      { tolerate: ['ENOENT', 'ENODEV'] },
    )
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

  #available(): readonly string[] {
    return readIfThere(join(this.#hierarchy.mountPoint, 'cgroup.controllers'))
      .split(/\s+/)
      .filter((controller) => controller !== '')
  }

  /** The directories above this one, from the mount point on: their subtree_control decides here. */
  #ancestors(): readonly string[] {
    const parts = this.path
      .slice(this.#hierarchy.mountPoint.length)
      .split('/')
      .filter((part) => part !== '')
    return parts.map((_, i) => join(this.#hierarchy.mountPoint, ...parts.slice(0, i)))
  }

  #missingController(controller: string): TsrunError {
    const v1 = this.#hierarchy.v1Controllers.get(controller)
    const where =
      v1 === undefined ? 'the kernel does not offer it there' : `it is bound to cgroup v1 at ${v1}`
    return new TsrunError(
      'failed-precondition',
      `cannot set a ${controller} limit: the cgroup v2 hierarchy at ${this.#hierarchy.mountPoint} has no ${controller} controller, ${where}`,
      {
        hint: 'boot with systemd.unified_cgroup_hierarchy=1 (or cgroup_no_v1=all), or run without this limit',
      },
    )
  }

  #write(write: CgroupWrite): void {
    const { otherwise, pointer } = write
    const replaced = otherwise !== undefined && !existsSync(join(this.path, write.file))
    const { file, value } = replaced ? otherwise : write
    try {
      writeFileSync(join(this.path, file), value)
    } catch (cause) {
      throw new TsrunError(
        'failed-precondition',
        `cannot write ${JSON.stringify(value)} to ${join(this.path, file)} (linux.resources${pointer.replaceAll('/', '.')}): ${errnoCodeOf(cause)}`,
        { cause },
      )
    }
  }
}

/**
 * Enables all of `available` for the children of `directory`: those `needed` or it throws, the others
 * for their numbers alone (memory.current, pids.current, io.stat), where it can be.
 */
function enableIn(
  directory: string,
  available: readonly string[],
  needed: ReadonlySet<string>,
): void {
  const file = join(directory, 'cgroup.subtree_control')
  const enabled = new Set(readIfThere(file).trim().split(/\s+/))
  const missing = available.filter((controller) => !enabled.has(controller))
  if (missing.length === 0) return
  try {
    // The kernel takes all of them or none.
    writeFileSync(file, missing.map((controller) => `+${controller}`).join(' '))
  } catch {
    for (const controller of missing) enableOne(file, directory, controller, needed)
  }
}

function enableOne(
  file: string,
  directory: string,
  controller: string,
  needed: ReadonlySet<string>,
): void {
  try {
    writeFileSync(file, `+${controller}`)
  } catch (cause) {
    if (!needed.has(controller)) return
    throw cannotEnable(directory, controller, cause)
  }
}

function cannotEnable(directory: string, controller: string, cause: unknown): TsrunError {
  const code = errnoCodeOf(cause)
  const hint =
    code === 'EBUSY'
      ? `${directory} has processes of its own (no internal process rule): move them to a child cgroup`
      : `delegate the controller: Delegate=${controller} in the unit of this user`
  return new TsrunError(
    'failed-precondition',
    `cannot enable the ${controller} controller in ${directory}: ${code}`,
    { cause, ...(code === 'EBUSY' || code === 'EACCES' ? { hint } : {}) },
  )
}

// The kernel needs a moment after the last process: rmdir says EBUSY until then.
async function removeDirectory(directory: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      rmdirSync(directory)
      return
    } catch (error) {
      const code = errnoCodeOf(error)
      if (code === 'ENOENT') return
      if (code !== 'EBUSY' || attempt >= 100) {
        throw new TsrunError('unavailable', `cannot remove the cgroup ${directory}: ${code}`, {
          cause: error,
        })
      }
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}
