/**
 * An overlay for a container with ids of its own. The layers and what is written stay on disk with the ids of the image:
 *
 *   snapshots/ ──(idmapped copy at stage)──► stage/layers/…, stage/active/<key>/ ──► overlay at target
 *
 * An overlay keeps private copies of the mounts that it is made of, so the stage goes when it is there. Idmapped layers
 * are of Linux 5.19.
 */
import { mkdirSync } from 'node:fs'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { mountMapped } from '../native/mapped-mount.ts'
import { detachMount } from '../native/overlay-mount.ts'
import { type MappedIds, type NamespaceIds, openUserNamespace } from '../native/user-namespace.ts'
import type { Mount } from '../snapshots/mount.ts'
import { mountOverlay } from '../snapshots/mount-overlay.ts'

export interface MappedPlace {
  /** All paths of the overlay are below it. */
  readonly root: string
  /** A folder of the caller's, made when it is not there. */
  readonly stage: string
  readonly target: string
}

/** Mounts the overlay of `mounts` at `target` with its ids mapped. */
export function mountMappedOverlay(
  mounts: readonly Mount[],
  ids: NamespaceIds,
  { root, stage, target }: MappedPlace,
): void {
  using namespace = openUserNamespace(withRoot(ids))
  mkdirSync(stage, { recursive: true, mode: 0o700 })
  // What a killed command has left there.
  detachMount(stage)
  try {
    mapFolder(root, stage, namespace.fd)
    mountOverlay(
      mounts.map((mount) => ({ ...mount, options: mount.options.map(restage) })),
      target,
    )
  } finally {
    detachMount(stage)
  }

  function restage(option: string): string {
    const [key, value] = option.split(/=(.*)/s)
    if (value === undefined) return option
    const paths = value
      .split(':')
      .map((path) => (path.startsWith(`${root}/`) ? stage + path.slice(root.length) : path))
    return `${key}=${paths.join(':')}`
  }
}

function mapFolder(root: string, stage: string, namespace: number): void {
  try {
    mountMapped(root, stage, namespace)
  } catch (cause) {
    const errno = errnoCodeOf(cause)
    throw new TsrunError('failed-precondition', `cannot map the ids of the layers in "${root}"`, {
      cause,
      ...(errno === undefined ? {} : { errno }),
      hint:
        errno === 'EINVAL'
          ? 'its file system cannot map ids: put the data root on ext4, xfs or btrfs (--data-root), or run without a user namespace'
          : 'run it as root, or without a user namespace',
    })
  }
}

/**
 * overlayfs makes folders of its own in workdir as whoever mounts it (ovl_workdir_create in fs/overlayfs/super.c), and
 * is read-only where that user has no id on disk. So the host's root has one there that no container has.
 */
function withRoot({ uidMappings, gidMappings }: NamespaceIds): NamespaceIds {
  return { uidMappings: withId0(uidMappings), gidMappings: withId0(gidMappings) }
}

function withId0(mappings: readonly MappedIds[]): readonly MappedIds[] {
  if (mappings.some(({ hostID, size }) => hostID === 0 && size > 0)) return mappings
  const free = Math.max(0, ...mappings.map(({ containerID, size }) => containerID + size))
  return [...mappings, { containerID: free, hostID: 0, size: 1 }]
}
