/** The mounts of config.json, in its order, by descriptor only. */
import { TsrunError } from '../../errors.ts'
import type { Mount } from '../../oci/runtime-config.ts'
import type { Slot } from '../instruction.ts'
import { emitBind } from './bind-mounts.ts'
import { type CreateContext, hasNamespace } from './create-context.ts'
import { emitFilesystem } from './filesystem-mounts.ts'
import { isBind, parseMountOptions } from './mount-options.ts'
import { destinationOf, type MountRoot, mountRoot } from './mount-target.ts'
import { emitRemount } from './remount.ts'

/** Emits every mount; what becomes read-only late is collected in the context. */
export function emitMounts(c: CreateContext, fd: Slot): void {
  const mounts = c.config.mounts ?? []
  if (mounts.length === 0) return
  const root = c.b.at('/root/path', () => mountRoot(c.b, fd))
  mounts.forEach((mount, index) => {
    c.b.at(`/mounts/${index}`, () => emitMount(c, root, mount, index))
  })
}

function emitMount(c: CreateContext, root: MountRoot, mount: Mount, index: number): void {
  const options = parseMountOptions(mount.options ?? [])
  refuseUnsupported(mount, options.unsupported[0], index)
  if (options.remount) emitRemount(c, root, mount, options)
  else if (isBind(mount, options)) emitBind(c, root, mount, index, options)
  else emitFilesystem(c, root, mount, index, options)
}

function refuseUnsupported(mount: Mount, option: string | undefined, index: number): void {
  if (option !== undefined) {
    throw new TsrunError(
      'not-implemented',
      `unsupported: mounts[${index}].options "${option}" (${mount.destination})`,
    )
  }
}

/** Whether tsrun fills /dev: not when the config binds one there. */
export function ownsDev(c: CreateContext): boolean {
  return !(c.config.mounts ?? []).some(
    (mount) =>
      destinationOf(c, mount).join('/') === 'dev' &&
      isBind(mount, parseMountOptions(mount.options ?? [])),
  )
}

/** Whether the container has a mount namespace to mount in. */
export function requireMountNamespace(c: CreateContext): void {
  if (hasNamespace(c.config, 'mount', 'any')) return
  throw new TsrunError(
    'not-implemented',
    'unsupported: a container without a mount namespace in linux.namespaces',
  )
}
