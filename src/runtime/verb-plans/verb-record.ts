/**
 * `<root>/<id>/verbs`: what the plans of whole verbs must know of a container. They cannot read state.json, so
 * `create` leaves them this, in fixed places:
 *
 *    0  u32 magic, u32 version
 *    8  i32 pid of init, u32 flags
 *   16  u64 inode, u64 size, u64 seconds, u64 nanoseconds of the last change of state.json's text
 *   48  the cgroup's absolute path with its NUL, empty without one
 *
 * A record speaks for the state.json that it names and for no other: one that was edited, damaged or made
 * anew is the engine's to judge.
 */
import type { BigIntStats } from 'node:fs'
import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import { usesListener } from '../../seccomp/uses-listener.ts'

export const VERB_RECORD = 'verbs'
export const RECORD_MAGIC = 0x56525354 // "TSRV"
export const RECORD_VERSION = 1
export const RECORD_AT = { magic: 0, version: 4, pid: 8, flags: 12, state: 16, cgroup: 48 } as const
const MAX_PATH = 4096
/** The longest record. */
export const RECORD_SIZE = RECORD_AT.cgroup + MAX_PATH

/** What of a container a plan may do alone. */
export const RECORD_FLAGS = {
  /** Nothing but init acts when it starts: no hook, no seccomp listener. */
  start: 1,
  /** Nothing but its folder and its cgroup is left of it: no poststop hook, no resctrl group, no scope of systemd. */
  delete: 2,
  /** The cgroup's parent is `tsrun` below the mount point, which goes with its last container. */
  defaultParent: 4,
} as const

export interface VerbRecord {
  readonly pid: number
  readonly flags: number
  readonly state: Pick<BigIntStats, 'ino' | 'size' | 'mtimeNs'>
  readonly cgroup: string
}

/** What of a container that was made of `config` a plan may do alone; `isScope`: systemd made its cgroup. */
export function recordFlags(config: RuntimeConfig, isScope: boolean): number {
  const { hooks, linux, process } = config
  // One that fails is the end of the container, and the engine is to see it.
  const hasStartHooks = !isEmpty(hooks?.startContainer) || !isEmpty(hooks?.poststart)
  const maySimplyStart = process !== undefined && !hasStartHooks && !usesListener(linux?.seccomp)
  const mayBeDeleted = isEmpty(hooks?.poststop) && linux?.intelRdt === undefined && !isScope
  return (maySimplyStart ? RECORD_FLAGS.start : 0) | (mayBeDeleted ? RECORD_FLAGS.delete : 0)
}

/** Undefined where the plans could not hold it. */
export function encodeVerbRecord(record: VerbRecord): Buffer | undefined {
  const { pid, flags, state, cgroup } = record
  const path = Buffer.from(`${cgroup}\0`)
  if (path.length > MAX_PATH) return undefined
  const head = Buffer.alloc(RECORD_AT.cgroup)
  head.writeUInt32LE(RECORD_MAGIC, RECORD_AT.magic)
  head.writeUInt32LE(RECORD_VERSION, RECORD_AT.version)
  head.writeInt32LE(pid, RECORD_AT.pid)
  head.writeUInt32LE(flags, RECORD_AT.flags)
  const nanoseconds = 1_000_000_000n
  const words = [state.ino, state.size, state.mtimeNs / nanoseconds, state.mtimeNs % nanoseconds]
  words.forEach((word, i) => {
    head.writeBigUInt64LE(BigInt.asUintN(64, word), RECORD_AT.state + i * 8)
  })
  return Buffer.concat([head, path])
}

function isEmpty(list: readonly unknown[] | undefined): boolean {
  return list === undefined || list.length === 0
}
