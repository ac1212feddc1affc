/** Mounts what a snapshotter hands out. */
import { errnoCodeOf, TsrunError } from '../errors.ts'
import {
  detachMount,
  mountOverlayByDescriptor,
  mountOverlayByOptions,
} from '../native/overlay-mount.ts'
import type { Mount } from './mount.ts'

/** Mounts the overlay in `mounts` at `target`, an existing folder. */
export function mountOverlay(mounts: readonly Mount[], target: string): void {
  const [mount] = mounts
  if (mount === undefined || mounts.length !== 1 || mount.type !== 'overlay') {
    throw new RangeError('mountOverlay takes one overlay mount')
  }
  try {
    mountOverlayByDescriptor(mount, target)
  } catch (error) {
    // `lowerdir+` is of Linux 6.5: older kernels know neither it nor long values of fsconfig(2).
    if (errnoCodeOf(error) !== 'EINVAL') throw overlayError(target, error)
    try {
      mountOverlayByOptions(mount, target)
    } catch (second) {
      throw overlayError(target, second)
    }
  }
}

/** Unmounts the tree at `target`, at the latest when its last user is gone; nothing mounted there is no error. */
export function unmountOverlay(target: string): void {
  detachMount(target)
}

function overlayError(target: string, cause: unknown): TsrunError {
  const errno = errnoCodeOf(cause)
  return new TsrunError('internal', `cannot mount the layers at "${target}"`, {
    cause,
    ...(errno === undefined ? {} : { errno }),
    ...(errno === 'EPERM'
      ? {
          hint: 'run it as root, or without root on Linux 5.11 or newer with a file system that has user xattrs',
        }
      : {}),
  })
}
