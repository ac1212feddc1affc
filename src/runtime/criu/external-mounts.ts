/** The mounts of a container that come from the host: criu does not save them, it asks for them again. */
import { readlinkSync, realpathSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { AT_FDCWD, O_CLOEXEC, O_PATH, S_IFDIR } from '../../linux/open-flags.ts'
import { OwnedFd } from '../../native/owned-fd.ts'
import { newBatch, runBatch } from '../../native/run-batch.ts'
import type { Mount, RuntimeConfig } from '../../oci/runtime-config.ts'
import { DEFAULT_DEVICE_PATHS } from '../../plan/compile/devices.ts'
import { isBind, parseMountOptions } from '../../plan/compile/mount-options.ts'
import { fileTypeOf, openExisting } from '../../plan/compile/path-in-root.ts'

/** struct ext_mount_map. For a dump: destination, name. For a restore: name, source on this host. */
export interface ExternalMount {
  readonly key: string
  readonly val: string
}

const MASK = '/dev/null'

/** Names each by its destination; a masked file is named by what covers it. */
export function mountsToName(
  config: RuntimeConfig,
  rootfs: string,
  init: number,
): readonly ExternalMount[] {
  const destinations = [
    ...bindMounts(config).map(({ destination }) => destination),
    ...devicePaths(config),
  ]
  const masked = (config.linux?.maskedPaths ?? []).filter((path) =>
    isFile(`/proc/${init}/root`, path),
  )
  return [
    ...destinations
      .map((path) => resolveInRoot(rootfs, path))
      .map((path) => ({ key: path, val: path })),
    ...masked.map((path) => ({ key: path, val: MASK })),
  ]
}

/** The host's paths behind the names of {@link mountsToName}. */
export function mountsToRestore(
  config: RuntimeConfig,
  rootfs: string,
  bundle: string,
): readonly ExternalMount[] {
  return [
    ...bindMounts(config).map(({ destination, source = '' }) => ({
      key: resolveInRoot(rootfs, destination),
      val: isAbsolute(source) ? source : join(bundle, source),
    })),
    { key: MASK, val: MASK },
    ...devicePaths(config).map((path) => ({ key: resolveInRoot(rootfs, path), val: path })),
  ]
}

function bindMounts(config: RuntimeConfig): readonly Mount[] {
  return (config.mounts ?? []).filter((mount) =>
    isBind(mount, parseMountOptions(mount.options ?? [])),
  )
}

// In a user namespace devices are bind mounts too.
function devicePaths(config: RuntimeConfig): readonly string[] {
  const configured = (config.linux?.devices ?? []).map(({ path }) => path)
  return [...new Set([...DEFAULT_DEVICE_PATHS, ...configured])]
}

/** `path` without the symlinks that the root filesystem has on the way to it, which is where the mount went. */
export function resolveInRoot(rootfs: string, path: string): string {
  const batch = newBatch()
  const root = batch.sys('openat', [AT_FDCWD, batch.string(rootfs), O_PATH | O_CLOEXEC, 0])
  const found = openExisting(batch, root, path)
  const result = runBatch(batch)
  using _root = new OwnedFd(result.value(root))
  // A place inside another bind mount is not in the root filesystem itself.
  if (result.value(found) < 0) return join('/', path)
  using target = new OwnedFd(result.value(found))
  const full = readlinkSync(`/proc/self/fd/${target.fd}`)
  const top = realpathSync(rootfs)
  return join('/', full === top ? '' : full.slice(top === '/' ? 0 : top.length))
}

function isFile(root: string, path: string): boolean {
  const batch = newBatch()
  const directory = batch.sys('openat', [AT_FDCWD, batch.string(root), O_PATH | O_CLOEXEC, 0])
  const found = openExisting(batch, directory, path)
  const type = batch.slot('type')
  const missing = batch.label()
  batch.set(type, S_IFDIR)
  batch.branch(found, 'lt', 0, missing)
  batch.set(type, fileTypeOf(batch, found))
  batch.run('close', [found])
  batch.place(missing)
  batch.run('close', [directory])
  return runBatch(batch).value(type) !== S_IFDIR
}
