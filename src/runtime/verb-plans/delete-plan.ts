/** `delete` as one plan: removes a stopped container, and with `--force` one that runs. */
import { AT_FDCWD, AT_REMOVEDIR, O_PATH, O_WRONLY } from '../../linux/open-flags.ts'
import type { DataRef, Slot } from '../../plan/instruction.ts'
import type { Architecture, Plan } from '../../plan/plan.ts'
import { type Label, part } from '../../plan/plan-builder.ts'
import { CONTAINER_FILES } from '../../state/state-directory.ts'
import {
  emitLock,
  emitOpenRoot,
  emitRequireFlag,
  emitTryOpenFolder,
  type LockedContainer,
  VerbPlan,
} from './verb-plan.ts'
import { RECORD_AT, RECORD_FLAGS, RECORD_SIZE } from './verb-record.ts'

const DEFAULT_PARENT = 'tsrun'
const ENOENT = -2
const ESRCH = -3
const EBUSY = -16
const POLLIN = 1
const POLLPRI = 2
/** For a killed init to end. What takes longer is the engine's. */
const KILL_MS = 1000
/** For the kernel to notice that a cgroup is empty. */
const EMPTY_MS = 50

/** What src/runtime/delete.ts does where there is no hook, no resctrl group and no scope of systemd. */
export function compileDeletePlan(architecture: Architecture, force: boolean): Plan {
  const v = new VerbPlan(architecture)
  const { b } = v
  const root = emitOpenRoot(v)
  const folder = emitTryOpenFolder(v, root)
  // A shim deletes by force what it has deleted before.
  if (force) v.branchDone(folder, 'eq', ENOENT)
  b.branch(folder, 'lt', 0, v.toEngine)
  const container = emitLock(v, root, folder, RECORD_FLAGS.delete)
  emitCheckFiles(v, folder)
  emitEndInit(v, container, force)
  emitRemoveCgroup(v, container)
  for (const name of CONTAINER_FILES) emitUnlink(v, folder, b.string(name), 0)
  emitUnlink(v, root, v.id, AT_REMOVEDIR)
  v.done()
  return v.finish()
}

/**
 * Goes on when the process that has init's pid has ended: it is init, or init has been gone for longer. One
 * that lives may be a later process of that number: without --force all there is to say is the engine's, with
 * it nothing is killed but the container's cgroup, and then it must have ended.
 */
function emitEndInit(v: VerbPlan, { record }: LockedContainer, force: boolean): void {
  const { b } = v
  const ended = b.label()
  const pid = b.load(4, record, RECORD_AT.pid)
  const pidfd = v.call('pidfd_open', [pid, 0])
  b.branch(pidfd, 'eq', ESRCH, ended)
  b.branch(pidfd, 'lt', 0, v.toEngine)
  v.closeAtEnd(pidfd)
  b.branch(emitPoll(v, pidfd, POLLIN, 0), 'gt', 0, ended)
  if (force) {
    const path = cgroupOf(record)
    b.branch(b.load(1, record, RECORD_AT.cgroup), 'eq', 0, v.toEngine)
    const cgroup = v.open(AT_FDCWD, path, O_PATH | v.directory)
    const kill = v.open(cgroup, b.string('cgroup.kill'), O_WRONLY)
    v.need('write', [kill, b.string('1'), 1])
    b.branch(emitPoll(v, pidfd, POLLIN, KILL_MS), 'gt', 0, ended)
  }
  b.jump(v.toEngine)
  b.place(ended)
}

function emitRemoveCgroup(v: VerbPlan, { record }: LockedContainer): void {
  const { b } = v
  const removed = b.label()
  const ofOthers = b.label()
  b.branch(b.load(1, record, RECORD_AT.cgroup), 'eq', 0, removed)
  const cgroup = v.tryOpen(AT_FDCWD, cgroupOf(record), O_PATH | v.directory)
  b.branch(cgroup, 'eq', ENOENT, removed)
  b.branch(cgroup, 'lt', 0, v.toEngine)
  emitRequireFlag(v, record, RECORD_FLAGS.defaultParent, ofOthers)
  const mount = v.open(cgroup, b.string('../..'), O_PATH | v.directory)
  b.place(ofOthers)
  emitRemoveWhenEmpty(v, cgroup, cgroupOf(record))
  // Where there was no such parent, this names nothing: the descriptor was never opened.
  v.call('unlinkat', [mount, b.string(DEFAULT_PARENT), AT_REMOVEDIR])
  b.place(removed)
}

// rmdir(2) says EBUSY for a moment after the last process.
function emitRemoveWhenEmpty(v: VerbPlan, cgroup: Slot, path: DataRef): void {
  const { b } = v
  const removed = b.label()
  const first = v.call('unlinkat', [AT_FDCWD, path, AT_REMOVEDIR])
  b.branch(first, 'eq', 0, removed)
  b.branch(first, 'ne', EBUSY, v.toEngine)
  const events = v.open(cgroup, b.string('cgroup.events'), 0)
  const text = b.zeros(128)
  // Only a change after a read is an event (cgroup-v2.rst).
  v.need('read', [events, text, 128])
  const again = b.label()
  const at = 'populated '.length
  b.branch(b.load(1, text, at), 'ne', '1'.charCodeAt(0), again)
  emitPoll(v, events, POLLPRI, EMPTY_MS)
  b.place(again)
  v.need('unlinkat', [AT_FDCWD, path, AT_REMOVEDIR])
  b.place(removed)
}

/** ppoll(2) of one descriptor: how many are ready. */
function emitPoll(v: VerbPlan, descriptor: Slot, events: number, milliseconds: number): Slot {
  const { b } = v
  const polled = b.zeros(8)
  b.store(4, polled, 0, descriptor)
  b.store(2, polled, 4, events)
  const timeout = b.words([Math.floor(milliseconds / 1000), (milliseconds % 1000) * 1_000_000])
  return v.call('ppoll', [polled, 1, timeout, 0, 8])
}

/** Goes on when all that is in the folder is a container's. All of it goes or nothing. */
function emitCheckFiles(v: VerbPlan, folder: Slot): void {
  const { b } = v
  const room = 4096
  const length = v.need('getdents64', [folder, b.zeros(room), room])
  const known = b.slot('known')
  b.set(known, direntSize('.') + direntSize('..'))
  for (const name of CONTAINER_FILES) {
    const absent = b.label()
    b.branch(v.call('faccessat', [folder, b.string(name), 0]), 'ne', 0, absent)
    b.compute(known, 'add', direntSize(name), known)
    b.place(absent)
  }
  b.branch(known, 'ne', length, v.toEngine)
}

/** Bytes of a struct linux_dirent64: 19 before the name, its NUL, rounded up to 8. */
function direntSize(name: string): number {
  return Math.ceil((19 + name.length + 1) / 8) * 8
}

function emitUnlink(v: VerbPlan, at: Slot, name: DataRef, flags: number): void {
  const { b } = v
  const gone: Label = b.label()
  const result = v.call('unlinkat', [at, name, flags])
  b.branch(result, 'eq', ENOENT, gone)
  b.branch(result, 'lt', 0, v.toEngine)
  b.place(gone)
}

function cgroupOf(record: DataRef): DataRef {
  return part(record, RECORD_AT.cgroup, RECORD_SIZE - RECORD_AT.cgroup + 1)
}
