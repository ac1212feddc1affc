/** Opens the image store of a data root: its layout on disk is decided here. */
import { join } from 'node:path'
import { ImageNames } from '../content/image-names.ts'
import { LocalContentStore } from '../content/local-content-store.ts'
import { lockFile, tryLockFile } from '../native/file-lock.ts'
import { hostPlatform } from '../oci/platform.ts'
import { OverlaySnapshotter } from '../snapshots/overlay-snapshotter.ts'
import { BuildCache } from './build-cache.ts'
import { ImageStore } from './image-store.ts'
import { maxInflatedOf } from './max-inflated.ts'

/**
 * `<data root>/images` is an OCI image layout, `<data root>/snapshots` holds unpacked layers, `<data root>/build` what
 * builds have made. Nothing is created yet.
 */
export function openImageStore(dataRoot: string, env = process.env): ImageStore {
  const locks = { lock: lockFile, tryLock: tryLockFile }
  const images = join(dataRoot, 'images')
  return new ImageStore({
    content: new LocalContentStore(images, locks),
    names: new ImageNames(images, locks),
    snapshots: new OverlaySnapshotter(join(dataRoot, 'snapshots')),
    builds: new BuildCache(join(dataRoot, 'build')),
    hostPlatform: hostPlatform(process.arch),
    maxInflated: maxInflatedOf(env),
  })
}
