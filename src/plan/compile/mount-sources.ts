/**
 * The root and the sources of bind mounts: opened by init at their turn, so that they see the mounts before them and
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
import {
  descriptorOf,
  emitHelperProcess,
  emitReceive,
  emitReceiveDescriptor,
  emitSendDescriptor,
  emitSendWord,
  type HelperProcess,
} from './helper-process.ts'
import { emitMapIds } from './idmapped-mounts.ts'
import { isBind, type MountOptions, parseMountOptions } from './mount-options.ts'
import { directoryFlags } from './path-in-root.ts'

const HAVE = 'h'
const PLEASE = 'p'

/** Starts the helper where init may need it; before any namespace is joined. */
export function emitSourceHelper(c: CreateContext): HelperProcess | undefined {
  const binds = bindMounts(c)
  // A helper of a user without root has no rights beyond those of init.
  if (!c.inUserNamespace || c.options.features.rootless) return undefined
  return c.b.at('source helper', () =>
    emitHelperProcess(c.b, (socket) => {
      c.b.at('/root/path', () => emitServe(c, socket, () => emitOpenPlace(c)))
      for (const { mount, index } of binds) {
        c.b.at(`/mounts/${index}`, () =>
          emitServe(c, socket, () => {
            const tree = emitOpenTree(c, mount, parseMountOptions(mount.options ?? []))
            emitIdMap(c, tree, index)
            return tree
          }),
        )
      }
    }),
  )
}

function bindMounts(
  c: CreateContext,
): readonly { readonly mount: Mount; readonly index: number }[] {
  return (c.config.mounts ?? [])
    .map((mount, index) => ({ mount, index }))
    .filter(({ mount }) => isBind(mount, parseMountOptions(mount.options ?? [])))
}

function emitServe(c: CreateContext, socket: Slot, emitOpen: () => Slot): void {
  const { b } = c
  const next = b.label()
  const asked = b.label()
  const message = emitReceive(b, socket)
  b.branch(message.length, 'gt', 0, asked)
  b.exit(0)
  b.place(asked)
  b.branch(b.load(1, message.text), 'eq', HAVE.charCodeAt(0), next)
  const namespace = descriptorOf(b, message)
  b.run('setns', [namespace, CLONE_NEWNS])
  b.run('close', [namespace])
  const opened = emitOpen()
  emitSendDescriptor(b, socket, 'm', opened)
  b.run('close', [opened])
  b.place(next)
}

/** Init's descriptor of the folder that the root filesystem is at. */
export function emitOpenRoot(c: CreateContext): Slot {
  return c.sourceHelper === undefined
    ? emitOpenPlace(c)
    : emitOpenOrAsk(c, c.sourceHelper, (tolerate) => emitOpenPlace(c, tolerate))
}

function emitOpenPlace({ b, rootfs }: CreateContext, tolerate: readonly string[] = []): Slot {
  return b.sys('openat', [AT_FDCWD, b.string(rootfs), directoryFlags(b), 0], { tolerate })
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
    return emitAsk(b, sourceHelper.socket)
  }
  return emitOpenOrAsk(c, sourceHelper, (tolerate) => emitOpenTree(c, mount, options, tolerate))
}

// With its own rights first: most need no others.
function emitOpenOrAsk(
  { b }: CreateContext,
  helper: HelperProcess,
  emitOpen: (tolerate: readonly string[]) => Slot,
): Slot {
  const done = b.label()
  const ask = b.label()
  const opened = emitOpen(['EACCES', 'EPERM'])
  b.branch(opened, 'lt', 0, ask)
  emitSendWord(b, helper.socket, HAVE)
  b.jump(done)
  b.place(ask)
  b.set(opened, emitAsk(b, helper.socket))
  b.place(done)
  return opened
}

function emitIdMap(c: CreateContext, tree: Slot, index: number): void {
  const map = c.idMaps.get(index)
  if (map !== undefined) emitMapIds(c.b, tree, map)
}

function emitAsk(b: PlanBuilder, socket: Slot): Slot {
  const path = b.string('/proc/self/ns/mnt')
  const namespace = b.sys('openat', [AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0])
  emitSendDescriptor(b, socket, PLEASE, namespace)
  b.run('close', [namespace])
  return emitReceiveDescriptor(b, socket)
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
