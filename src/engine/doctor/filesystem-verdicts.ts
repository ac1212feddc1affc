/** The file systems that images and containers live on. */
import { humanSize } from '../../util/size.ts'
import type { HostReader } from './host-reader.ts'
import { kernelNumber } from './kernel-verdicts.ts'
import { fail, ok, type Verdict, warn } from './verdict.ts'

const OVERLAYFS_MAGIC = 0x794c7630
const NFS_MAGIC = 0x6969
/** include/uapi/linux/magic.h, with the first kernel whose file system takes idmapped mounts. */
const IDMAPPABLE: ReadonlyMap<number, { readonly name: string; readonly since: number }> = new Map([
  [0xef53, { name: 'ext4', since: 5012 }],
  [0x58465342, { name: 'xfs', since: 5012 }],
  [0x4d44, { name: 'fat', since: 5012 }],
  [0x9123683e, { name: 'btrfs', since: 5015 }],
  [0xf2f52010, { name: 'f2fs', since: 5018 }],
  [0x01021994, { name: 'tmpfs', since: 6003 }],
])
/** Overlayfs takes idmapped layers from here on. */
const IDMAPPED_OVERLAY = 5019
const LOW_BYTES = 2e9
const NO_BYTES = 1e8

export function examineOverlay(host: HostReader): Verdict {
  const filesystems = host.read('/proc/filesystems') ?? ''
  const modules = host.read(`/lib/modules/${host.kernelRelease}/modules.dep`) ?? ''
  if (!/\boverlay$/m.test(filesystems) && !/\/overlay\.ko/.test(modules))
    return fail(
      'overlayfs',
      'the kernel has no overlayfs',
      'modprobe overlay, or use a kernel with CONFIG_OVERLAY_FS',
    )
  const { type } = host.disk(host.dataRoot)
  if (type === OVERLAYFS_MAGIC || type === NFS_MAGIC) {
    const what = type === NFS_MAGIC ? 'NFS' : 'another overlay'
    return fail(
      'overlayfs',
      `${host.dataRoot} is on ${what}, which cannot hold the writable layer of a container`,
      'give --data-root a folder on a local file system, or mount a volume there',
    )
  }
  // Linux 5.11 has it in user namespaces: every kernel that tsrun runs on.
  return ok('overlayfs', 'there, in user namespaces too')
}

export function examineIdmappedMounts(host: HostReader): Verdict {
  const kernel = kernelNumber(host.kernelRelease)
  const { type } = host.disk(host.dataRoot)
  const known = IDMAPPABLE.get(type)
  if (known === undefined || kernel < known.since || kernel < IDMAPPED_OVERLAY) {
    return warn(
      'idmapped mounts',
      known === undefined
        ? `the file system of ${host.dataRoot} is not known to take them`
        : `Linux ${host.kernelRelease} does not take them on ${known.name}`,
      'use ext4, xfs or btrfs, and Linux 5.19 or newer',
    )
  }
  return ok('idmapped mounts', `on ${known.name}`)
}

export function examineDisk(host: HostReader): Verdict {
  const { freeBytes, totalBytes, files, freeFiles } = host.disk(host.dataRoot)
  const text = `${humanSize(freeBytes, 3)} of ${humanSize(totalBytes, 3)} free for ${host.dataRoot}`
  const remedy = 'tsrun system prune, or give --data-root a larger file system'
  if (freeBytes < NO_BYTES) return fail('disk', text, remedy)
  // Some file systems make inodes as they need them and count none.
  if (files > 0 && freeFiles / files < 0.01)
    return warn('disk', `${text}, but next to no inodes: ${freeFiles} of ${files}`, remedy)
  return freeBytes < LOW_BYTES ? warn('disk', text, remedy) : ok('disk', text)
}
