/**
 * A plan that does a whole verb of the runtime's command line, for native-bindings/launch.c: it runs before any
 * engine of JavaScript is started, which costs ten times as much as the verb itself.
 *
 * Such a plan is part of tsrun, compiled when tsrun is built, and always the same: the launcher writes the
 * runtime's root and the container's id at the head of its data, and the rest it reads from the container's
 * folder (verb-record.ts). It ends with {@link DONE}, or with {@link TO_ENGINE} where anything is not as it
 * mostly is: then the same command line goes to the engine, which begins anew, finds whatever was done as done by
 * a command that was killed, and says what there is to say. So a plan prints nothing, fails at nothing, and
 * keeps no descriptor open when it hands on, least of all the one that holds the lock.
 */
import {
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_PATH,
  openFlagsFor,
} from '../../linux/open-flags.ts'
import type { DataRef, Operand, Slot } from '../../plan/instruction.ts'
import type { Architecture, Plan } from '../../plan/plan.ts'
import { type Label, PlanBuilder, part } from '../../plan/plan-builder.ts'
import { RECORD_AT, RECORD_MAGIC, RECORD_SIZE, RECORD_VERSION, VERB_RECORD } from './verb-record.ts'

/** Exit statuses of the plan; native-bindings/launch.h has them too. */
export const DONE = 0
export const TO_ENGINE = 1

/** Where the launcher writes, in bytes from the start of the data, each text with its NUL. */
export const LAUNCH_DATA = { root: 0, rootSize: 4096, id: 4096, idSize: 256 } as const

const LOCK_EX = 2
const AT_EMPTY_PATH = 0x1000
const ALL_BUT_OWNER = 0o077
const OTHERS_WRITE = 0o022
/** struct statx, <linux/stat.h>: the same on every architecture. */
const STATX = {
  size: 256,
  uid: 20,
  mode: 28,
  ino: 32,
  bytes: 40,
  mtime: 112,
  mtimeNs: 120,
  dev: 136,
}
const STATX_BASIC_STATS = 0x7ff

/** The state of a verb plan in the making. */
export class VerbPlan {
  readonly b: PlanBuilder
  readonly root: DataRef
  readonly id: DataRef
  /** Where everything goes that is the engine's. */
  readonly toEngine: Label
  readonly #done: Label
  readonly #opened: Slot[] = []
  readonly #flags: ReturnType<typeof openFlagsFor>

  constructor(architecture: Architecture) {
    this.b = new PlanBuilder(architecture)
    this.root = this.b.zeros(LAUNCH_DATA.rootSize)
    this.id = this.b.zeros(LAUNCH_DATA.idSize)
    this.toEngine = this.b.label()
    this.#done = this.b.label()
    this.#flags = openFlagsFor(architecture)
  }

  /** Appends a call whose failure is an answer: the slot holds -errno then. */
  call(name: string, args: readonly Operand[]): Slot {
    return this.b.sys(name, args, { tolerate: ['*'] })
  }

  /** As {@link call}, of a call that must succeed. */
  need(name: string, args: readonly Operand[]): Slot {
    const result = this.call(name, args)
    this.b.branch(result, 'lt', 0, this.toEngine)
    return result
  }

  /** A descriptor that is closed when the plan hands on; negative when there is nothing to open. */
  tryOpen(at: Operand, path: DataRef, flags: number): Slot {
    const opened = this.call('openat', [at, path, flags | O_CLOEXEC, 0o600])
    this.closeAtEnd(opened)
    return opened
  }

  open(at: Operand, path: DataRef, flags: number): Slot {
    const opened = this.tryOpen(at, path, flags)
    this.b.branch(opened, 'lt', 0, this.toEngine)
    return opened
  }

  /** `descriptor` is closed when the plan hands on. */
  closeAtEnd(descriptor: Slot): void {
    this.#opened.push(descriptor)
  }

  get directory(): number {
    return this.#flags.O_DIRECTORY
  }

  get noFollow(): number {
    return this.#flags.O_NOFOLLOW
  }

  /** The verb has been done. */
  done(): void {
    this.b.jump(this.#done)
  }

  branchDone(left: Operand, condition: 'eq', right: Operand): void {
    this.b.branch(left, condition, right, this.#done)
  }

  finish(): Plan {
    this.b.place(this.toEngine)
    // A slot that was never opened is negative, and a plan has no other error than -EBADF here.
    for (const slot of this.#opened) this.call('close', [slot])
    this.b.exit(TO_ENGINE)
    this.b.place(this.#done)
    this.b.exit(DONE)
    return this.b.finish()
  }
}

export interface LockedContainer {
  /** O_PATH, of the runtime's root. */
  readonly root: Slot
  /** The container's folder, locked. */
  readonly folder: Slot
  /** The bytes of its record. */
  readonly record: DataRef
}

/** Emits the opening of the root directory, where nobody but root may put folders or rename them. */
export function emitOpenRoot(v: VerbPlan): Slot {
  const { b } = v
  const root = v.open(AT_FDCWD, v.root, O_PATH | v.directory)
  emitRequireOwn(v, emitStat(v, root, b.string(''), AT_EMPTY_PATH), OTHERS_WRITE)
  return root
}

/** Emits the opening of the container's folder; negative when it cannot be opened. */
export function emitTryOpenFolder(v: VerbPlan, root: Slot): Slot {
  return v.tryOpen(root, v.id, v.directory | v.noFollow)
}

/**
 * Emits what every verb does first: the folder is ours alone, its container is complete, of this version's
 * making and has `flag`, and nobody else changes it from here on.
 */
export function emitLock(v: VerbPlan, root: Slot, folder: Slot, flag: number): LockedContainer {
  const { b } = v
  const ours = emitStat(v, folder, b.string(''), AT_EMPTY_PATH)
  emitRequireOwn(v, ours, ALL_BUT_OWNER)
  const record = emitReadRecord(v, folder, flag)
  emitCheckState(v, folder, record)
  v.need('flock', [folder, LOCK_EX])
  // While we waited the folder may have been removed, and another of this name be made.
  const there = emitStat(v, root, v.id, AT_SYMLINK_NOFOLLOW)
  for (const at of [STATX.ino, STATX.dev])
    b.branch(b.load(8, there, at), 'ne', b.load(8, ours, at), v.toEngine)
  emitCheckState(v, folder, record)
  return { root, folder, record }
}

// What is in a folder that others can change is their word, not ours.
function emitRequireOwn(v: VerbPlan, stat: DataRef, forbidden: number): void {
  const { b } = v
  b.branch(b.load(4, stat, STATX.uid), 'ne', 0, v.toEngine)
  b.branch(b.compute(b.load(2, stat, STATX.mode), 'and', forbidden), 'ne', 0, v.toEngine)
}

function emitStat(v: VerbPlan, at: Operand, path: DataRef, flags: number): DataRef {
  const stat = v.b.zeros(STATX.size)
  v.need('statx', [at, path, flags, STATX_BASIC_STATS, stat])
  return stat
}

function emitReadRecord(v: VerbPlan, folder: Slot, flag: number): DataRef {
  const { b } = v
  const file = v.open(folder, b.string(VERB_RECORD), v.noFollow)
  // A byte more than is read: the path in it ends in any case.
  const record = b.zeros(RECORD_SIZE + 8)
  const length = v.need('read', [file, part(record, 0, RECORD_SIZE), RECORD_SIZE])
  b.branch(length, 'le', RECORD_AT.cgroup, v.toEngine)
  b.branch(b.load(4, record, RECORD_AT.magic), 'ne', RECORD_MAGIC, v.toEngine)
  b.branch(b.load(4, record, RECORD_AT.version), 'ne', RECORD_VERSION, v.toEngine)
  emitRequireFlag(v, record, flag, v.toEngine)
  return record
}

/** Goes on at `otherwise` when the record does not have `flag`. */
export function emitRequireFlag(
  v: VerbPlan,
  record: DataRef,
  flag: number,
  otherwise: Label,
): void {
  const flags = v.b.load(4, record, RECORD_AT.flags)
  v.b.branch(v.b.compute(flags, 'and', flag), 'eq', 0, otherwise)
}

/** state.json is there, and the one that the record was made for. */
function emitCheckState(v: VerbPlan, folder: Slot, record: DataRef): void {
  const { b } = v
  const stat = emitStat(v, folder, b.string('state.json'), AT_SYMLINK_NOFOLLOW)
  const same = (width: 4 | 8, at: number, word: number): void => {
    const known = b.load(8, record, RECORD_AT.state + word * 8)
    b.branch(b.load(width, stat, at), 'ne', known, v.toEngine)
  }
  same(8, STATX.ino, 0)
  same(8, STATX.bytes, 1)
  same(8, STATX.mtime, 2)
  same(4, STATX.mtimeNs, 3)
}
