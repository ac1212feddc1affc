/** Mounts an overlay by one batch of system calls on descriptors, or by mount(2) on kernels before 6.5. */
import { closeSync, constants, openSync } from 'node:fs'
import { SyscallError, TsrunError } from '../errors.ts'
import { errnoName } from '../linux/errno.ts'
import {
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_FLAG,
  FSCONFIG_SET_STRING,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MNT_DETACH,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  UMOUNT_NOFOLLOW,
} from '../linux/mount-flags.ts'
import { AT_FDCWD, O_CLOEXEC, O_PATH } from '../linux/open-flags.ts'
import type { Operand, Slot } from '../plan/instruction.ts'
import { newBatch, runBatch } from './run-batch.ts'

/** fsconfig(2): a string value is at most 256 bytes with its NUL. */
const MAX_VALUE = 255
/** mount(2): the options are at most a page with their NUL. */
const MAX_OPTIONS = 4095

/** An overlay as mount(8) writes it. */
export interface OverlayMount {
  readonly source: string
  /** `lowerdir=<top>:…:<base>`, `upperdir=…`, `workdir=…` and flags. */
  readonly options: readonly string[]
}

/** fsopen(2) and friends: no path of the target is resolved twice, each layer is a value of its own. */
export function mountOverlayByDescriptor(mount: OverlayMount, target: string): void {
  using paths = new ShortPaths()
  const batch = new GuardedBatch()
  const { b } = batch
  const context = batch.descriptor('fsopen', [b.string('overlay'), FSOPEN_CLOEXEC])
  const folder = batch.descriptor('openat', [AT_FDCWD, b.string(target), O_PATH | O_CLOEXEC, 0])
  batch.step('fsconfig', [
    context,
    FSCONFIG_SET_STRING,
    b.string('source'),
    b.string(mount.source),
    0,
  ])
  for (const [key, value] of layerByLayer(mount.options)) {
    if (value === undefined)
      batch.step('fsconfig', [context, FSCONFIG_SET_FLAG, b.string(key), 0, 0])
    else {
      const text = value.startsWith('/') && value.length > MAX_VALUE ? paths.shorten(value) : value
      batch.step('fsconfig', [context, FSCONFIG_SET_STRING, b.string(key), b.string(text), 0])
    }
  }
  batch.step('fsconfig', [context, FSCONFIG_CMD_CREATE, 0, 0, 0])
  const tree = batch.descriptor('fsmount', [context, FSMOUNT_CLOEXEC, 0])
  const flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH
  batch.step('move_mount', [tree, b.string(''), folder, b.string(''), flags])
  batch.run(target)
}

/** mount(2), for kernels before 6.5; layers are named by descriptor so that hundreds fit into a page. */
export function mountOverlayByOptions(mount: OverlayMount, target: string): void {
  using paths = new ShortPaths()
  const options = mount.options.map((option) => {
    const [key = '', value] = splitOption(option)
    if (value === undefined || !LAYER_OPTIONS.has(key)) return option
    return `${key}=${value
      .split(':')
      .map((path) => paths.shorten(path))
      .join(':')}`
  })
  const text = options.join(',')
  if (text.length > MAX_OPTIONS) {
    throw new TsrunError('not-implemented', `it has more layers than this kernel can stack`, {
      hint: 'use Linux 6.5 or newer',
    })
  }
  const b = newBatch()
  b.run('mount', [b.string(mount.source), b.string(target), b.string('overlay'), 0, b.string(text)])
  runBatch(b)
}

const LAYER_OPTIONS: ReadonlySet<string> = new Set(['lowerdir', 'upperdir', 'workdir'])

function layerByLayer(
  options: readonly string[],
): readonly (readonly [string, string | undefined])[] {
  return options.flatMap((option) => {
    const [key, value] = splitOption(option)
    if (key !== 'lowerdir' || value === undefined) return [[key, value] as const]
    return value.split(':').map((path) => ['lowerdir+', path] as const)
  })
}

function splitOption(option: string): readonly [string, string | undefined] {
  const equals = option.indexOf('=')
  return equals === -1 ? [option, undefined] : [option.slice(0, equals), option.slice(equals + 1)]
}

/** Paths as /proc/self/fd/<n>, good until disposed. */
class ShortPaths implements Disposable {
  readonly #descriptors: number[] = []

  shorten(path: string): string {
    const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)
    this.#descriptors.push(fd)
    return `/proc/self/fd/${fd}`
  }

  [Symbol.dispose](): void {
    for (const fd of this.#descriptors) closeSync(fd)
  }
}

/** A batch that stops at the first failure and closes its descriptors in any case. */
class GuardedBatch {
  readonly b = newBatch()
  readonly #error = this.b.slot('error')
  readonly #end = this.b.label()
  readonly #descriptors: Slot[] = []

  step(name: string, args: readonly Operand[], into?: Slot): void {
    const result = this.b.sys(name, args, {
      tolerate: ['*'],
      ...(into === undefined ? {} : { into }),
    })
    this.b.set(this.#error, result)
    this.b.branch(result, 'lt', 0, this.#end)
  }

  descriptor(name: string, args: readonly Operand[]): Slot {
    const slot = this.b.slot(name)
    this.#descriptors.push(slot)
    this.step(name, args, slot)
    return slot
  }

  run(target: string): void {
    this.b.place(this.#end)
    for (const slot of this.#descriptors) this.b.run('close', [slot], { tolerate: ['*'] })
    const error = runBatch(this.b).value(this.#error)
    if (error < 0) throw new SyscallError('mount', -error, errnoName(-error), target)
  }
}

/** Takes the mount at `target` away, at the latest when its last user is gone; nothing mounted there is no error. */
export function detachMount(target: string): void {
  const batch = newBatch()
  batch.run('umount2', [batch.string(target), MNT_DETACH | UMOUNT_NOFOLLOW], {
    tolerate: ['EINVAL', 'ENOENT'],
  })
  runBatch(batch)
}
