/**
 * The option tmpcopyup: a tmpfs that starts with what the directory under it holds. Copying a tree needs
 * loops, so Node does it, by the two descriptors that init sends.
 */
import { TsrunError } from '../../errors.ts'
import type { Mount, RuntimeConfig } from '../../oci/runtime-config.ts'
import type { Slot } from '../instruction.ts'
import type { CreateContext } from './create-context.ts'
import { emitSendDescriptor } from './helper-process.ts'
import { type MountOptions, parseMountOptions } from './mount-options.ts'
import { emitNewFilesystem } from './new-filesystem.ts'
import { emitSync } from './report-records.ts'

/** Whether a mount of `config` starts with a copy. */
export function needsCopyUp(config: RuntimeConfig): boolean {
  return (config.mounts ?? []).some(isCopyUp)
}

function isCopyUp({ options = [] }: Mount): boolean {
  return options.includes('tmpcopyup') && !options.includes('remount')
}

/**
 * Makes the file systems, detached, in the launcher: Node could not give a tmpfs of the container's
 * user namespace the owners that the files have on the host. Mount index → its tree.
 */
export function emitCopyUpTrees(c: CreateContext): ReadonlyMap<number, Slot> {
  const trees = new Map<number, Slot>()
  ;(c.config.mounts ?? []).forEach((mount, index) => {
    if (!isCopyUp(mount)) return
    const options = parseMountOptions(mount.options ?? [])
    const owner = options.filesystem.find(([key]) => key === 'uid' || key === 'gid')
    if (owner !== undefined && c.inUserNamespace) {
      throw new TsrunError(
        'not-implemented',
        `unsupported: mounts[${index}].options "tmpcopyup" with "${owner[0]}" in a user namespace (${mount.destination})`,
      )
    }
    c.b.at(`/mounts/${index}`, () => trees.set(index, emitNewFilesystem(c, mount, options)))
  })
  return trees
}

/**
 * Has Node copy what is in `found` into `tree`; both are descriptors of directories. What the options do
 * not say of the new root it takes from the old one or, for the owner, from the container.
 */
export function emitCopyUp(c: CreateContext, found: Slot, tree: Slot, options: MountOptions): void {
  if (c.copyUpSocket === undefined) return
  const told = new Set(options.filesystem.map(([key]) => key))
  const words = [
    'to',
    told.has('mode') ? '' : 'mode',
    told.has('uid') || told.has('gid') ? '' : 'owner',
  ]
  emitSendDescriptor(c.b, c.copyUpSocket, 'from', found)
  emitSendDescriptor(c.b, c.copyUpSocket, words.filter((word) => word !== '').join(' '), tree)
  emitSync(c.b, c.report, 'copyUp')
}
