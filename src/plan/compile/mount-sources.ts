/**
 * Sources of bind mounts: opened by init at their turn, so that they see the mounts before them and
 * keep what the host has locked; in a user namespace, where init has no right to a path, by a helper.
 *
 *   init                                    helper, in the caller's user namespace
 *    │  'h' I have it                        │ goes on to the next source
 *    │  'p' please, and my mount namespace ─►│ joins that namespace, opens the source
 *    │ ◄──────────────── 'm' and the mount ──│
 */
import { OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE } from '../../linux/mount-flags.ts'
import { CLONE_NEWNS } from '../../linux/namespaces.ts'
import { AT_FDCWD, AT_RECURSIVE, O_CLOEXEC, O_RDONLY } from '../../linux/open-flags.ts'
import type { Mount } from '../../oci/runtime-config.ts'
import type { Slot } from '../instruction.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import type { CreateContext } from './create-context.ts'
import { emitMapIds } from './idmapped-mounts.ts'
import { CLONE_ARGS_SIZE, cloneArgs, descriptorMessage, receivedMessage } from './kernel-structs.ts'
import { isBind, type MountOptions, parseMountOptions } from './mount-options.ts'
import { EXIT_ABANDONED } from './report-records.ts'

const AF_UNIX = 1
const SOCK_SEQPACKET_CLOEXEC = 0o2000005
const MSG_NOSIGNAL = 0x4000
const MSG_CMSG_CLOEXEC = 0x40000000
const SIGCHLD = 17
const WALL = 0x40000000
const HAVE = 'h'
const PLEASE = 'p'

/** The helper that opens sources for an init in a user namespace. */
export interface SourceHelper {
  readonly pid: Slot
  /** Init's end of the socket. */
  readonly socket: Slot
}

/** Starts the helper where init may need it; before any namespace is joined. */
export function emitSourceHelper(c: CreateContext): SourceHelper | undefined {
  const binds = bindMounts(c)
  if (!c.inUserNamespace || binds.length === 0) return undefined
  const { b } = c
  return b.at('source helper', () => {
    const ends = b.zeros(8)
    b.run('socketpair', [AF_UNIX, SOCK_SEQPACKET_CLOEXEC, 0, ends])
    const socket = b.load(4, ends)
    const own = b.load(4, ends, 4)
    const parent = b.label()
    const pid = b.sys('clone3', [cloneArgs(b, 0, SIGCHLD), CLONE_ARGS_SIZE])
    b.branch(pid, 'ne', 0, parent)
    b.run('close', [socket])
    for (const { mount, index } of binds) {
      b.at(`/mounts/${index}`, () => emitServe(c, own, mount, index))
    }
    b.exit(0)
    b.place(parent)
    b.run('close', [own])
    return { pid, socket }
  })
}

/** The launcher's part once init is there: the helper lives as long as init may ask. */
export function emitAwaitSourceHelper(b: PlanBuilder, helper: SourceHelper | undefined): void {
  if (helper === undefined) return
  b.run('close', [helper.socket])
  b.run('wait4', [helper.pid, 0, WALL, 0])
}

function bindMounts(
  c: CreateContext,
): readonly { readonly mount: Mount; readonly index: number }[] {
  return (c.config.mounts ?? [])
    .map((mount, index) => ({ mount, index }))
    .filter(({ mount }) => isBind(mount, parseMountOptions(mount.options ?? [])))
}

function emitServe(c: CreateContext, socket: Slot, mount: Mount, index: number): void {
  const { b } = c
  const next = b.label()
  const gone = b.label()
  const asked = receivedMessage(b)
  const received = b.sys('recvmsg', [socket, asked.header, MSG_CMSG_CLOEXEC])
  b.branch(received, 'le', 0, gone)
  b.branch(b.load(1, asked.text), 'eq', HAVE.charCodeAt(0), next)
  const namespace = b.load(4, asked.control, 16)
  b.run('setns', [namespace, CLONE_NEWNS])
  b.run('close', [namespace])
  const tree = emitOpenTree(c, mount, parseMountOptions(mount.options ?? []))
  emitIdMap(c, tree, index)
  b.run('sendmsg', [socket, descriptorMessage(b, 'm', tree), MSG_NOSIGNAL], {
    tolerate: ['EPIPE'],
  })
  b.run('close', [tree])
  b.jump(next)
  b.place(gone)
  b.exit(0)
  b.place(next)
}

/** Init's detached copy of the source of mount `index`, with the mounts below it for `rbind`. */
export function emitOpenSource(
  c: CreateContext,
  mount: Mount,
  index: number,
  options: MountOptions,
): Slot {
  const { b, sourceHelper } = c
  if (sourceHelper === undefined) {
    const tree = emitOpenTree(c, mount, options)
    emitIdMap(c, tree, index)
    return tree
  }
  // Ids can be mapped only by who owns the file system: the helper, not root of the user namespace.
  if (c.idMaps.has(index)) {
    const tree = b.slot('source')
    emitAsk(b, sourceHelper.socket, tree)
    return tree
  }
  const done = b.label()
  const ask = b.label()
  // With its own rights first: a rootless caller's helper has no more of them.
  const tree = emitOpenTree(c, mount, options, ['EACCES', 'EPERM'])
  b.branch(tree, 'lt', 0, ask)
  b.run('sendto', [sourceHelper.socket, b.string(HAVE), 1, MSG_NOSIGNAL, 0, 0], {
    tolerate: ['EPIPE'],
  })
  b.jump(done)
  b.place(ask)
  emitAsk(b, sourceHelper.socket, tree)
  b.place(done)
  return tree
}

function emitIdMap(c: CreateContext, tree: Slot, index: number): void {
  const map = c.idMaps.get(index)
  if (map !== undefined) emitMapIds(c.b, tree, map)
}

function emitAsk(b: PlanBuilder, socket: Slot, into: Slot): void {
  const path = b.string('/proc/self/ns/mnt')
  const namespace = b.sys('openat', [AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0])
  b.run('sendmsg', [socket, descriptorMessage(b, PLEASE, namespace), MSG_NOSIGNAL], {
    tolerate: ['EPIPE'],
  })
  b.run('close', [namespace])
  const answer = receivedMessage(b)
  const answered = b.label()
  const received = b.sys('recvmsg', [socket, answer.header, MSG_CMSG_CLOEXEC])
  b.branch(received, 'gt', 0, answered)
  // The helper has reported why it could not.
  b.exit(EXIT_ABANDONED)
  b.place(answered)
  b.set(into, b.load(4, answer.control, 16))
}

function emitOpenTree(
  c: CreateContext,
  mount: Mount,
  options: MountOptions,
  tolerate: readonly string[] = [],
): Slot {
  const { b } = c
  const source = mount.source ?? ''
  const path = source.startsWith('/') ? source : `${c.bundle}/${source}`
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (options.bind === 'bind' ? 0 : AT_RECURSIVE)
  return b.sys('open_tree', [AT_FDCWD, b.string(path), flags], {
    note: `bind source ${path}`,
    tolerate,
  })
}
