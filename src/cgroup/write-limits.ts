/** Applies limits: enables their controllers and writes their files. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { errnoText } from '../linux/errno.ts'
import type { Resources } from '../oci/runtime-config.ts'
import type { CgroupHierarchy } from './detect.ts'
import { availableControllers, enableControllers } from './enable-controllers.ts'
import { isKernelDefault } from './kernel-defaults.ts'
import { readIfThere } from './read-if-there.ts'
import { type CgroupWrite, resourcesToFiles, unsupportedResources } from './resources-to-files.ts'

/** Every write that `resources` asks for. Throws `not-implemented` for what cgroup v2 has not. */
export function plannedWrites(resources: Resources): readonly CgroupWrite[] {
  const unsupported = unsupportedResources(resources)[0]
  if (unsupported !== undefined) {
    throw new TsrunError(
      'not-implemented',
      `unsupported: linux.resources.${unsupported} (cgroup v2 has no such limit)`,
    )
  }
  return resourcesToFiles(resources)
}

/**
 * Enables what `writes` needs for the cgroup at `path` and makes them. Throws `failed-precondition` naming the
 * controller, the file, the value and the errno.
 */
export function writeLimits(
  hierarchy: CgroupHierarchy,
  path: string,
  writes: readonly CgroupWrite[],
): void {
  const available = availableControllers(hierarchy)
  const needed = writes.filter(
    (write) =>
      write.controller === undefined ||
      available.includes(write.controller) ||
      !isKernelDefault(write),
  )
  enableControllers(
    hierarchy,
    path,
    available,
    new Set(needed.flatMap(({ controller }) => controller ?? [])),
  )
  for (const write of inOrder(path, needed)) writeOne(path, write)
}

/**
 * The kernel wants a burst of at most the quota. A new burst comes before a new quota then, unless the old quota
 * is too low for it.
 */
function inOrder(path: string, writes: readonly CgroupWrite[]): readonly CgroupWrite[] {
  const burst = writes.find(({ file }) => file === 'cpu.max.burst')
  if (burst === undefined || !writes.some(({ file }) => file === 'cpu.max')) return writes
  const [quota = 'max'] = readIfThere(join(path, 'cpu.max')).split(' ')
  const others = writes.filter((write) => write !== burst)
  const isFirst = quota === 'max' || Number(quota) >= Number(burst.value)
  return isFirst ? [burst, ...others] : [...others, burst]
}

function writeOne(path: string, write: CgroupWrite): void {
  const isThere = existsSync(join(path, write.file))
  if (!isThere && write.optional === true) return
  const { file, value } = isThere ? write : (write.otherwise ?? write)
  // The kernel reads one line a write; a map of several devices is several writes (io.max, rdma.max).
  const lines = value.split('\n').filter((line) => line.trim() !== '')
  // An empty list of CPUs is a write of its own: of nothing, the kernel would hear nothing.
  for (const line of lines.length === 0 ? ['\n'] : lines) {
    try {
      writeFileSync(join(path, file), line, { flag: 'r+' })
    } catch (cause) {
      throw refused(path, { ...write, file, value: line }, cause)
    }
  }
}

function refused(path: string, write: CgroupWrite, cause: unknown): TsrunError {
  const { controller, file, value, pointer } = write
  const code = errnoCodeOf(cause) ?? ''
  const hint = hintFor(file, code)
  const subject = controller === undefined ? 'a cgroup file' : `a ${controller} limit`
  return new TsrunError(
    'failed-precondition',
    `cannot set ${subject} (linux.resources${pointer.replaceAll('/', '.')}): write ${JSON.stringify(value)} to ${join(path, file)}: ${code} (${errnoText(code)})`,
    // The cause has nothing that is not said here.
    { errno: code, ...(hint === undefined ? {} : { hint }) },
  )
}

interface WriteHint {
  readonly file: RegExp
  readonly code: string
  readonly hint: string
}

const WRITE_HINTS: readonly WriteHint[] = [
  {
    file: /^cpuset\.cpus$/,
    code: 'EINVAL',
    hint: 'write numbers and ranges of CPUs that this host has: see /sys/devices/system/cpu/possible',
  },
  {
    file: /^cpuset\./,
    code: 'ERANGE',
    hint: 'a number is higher than this kernel can have: see /sys/devices/system/cpu/possible and /sys/devices/system/node/online',
  },
  {
    file: /^cpuset\.mems$/,
    code: 'EINVAL',
    hint: 'write memory nodes that this host has: see /sys/devices/system/node/online',
  },
  {
    file: /^cpu\.max$/,
    code: 'EINVAL',
    hint: 'the period must be 1000 to 1000000 µs, the quota at least 1000 µs',
  },
  {
    file: /^cpu\.max\.burst$/,
    code: 'EINVAL',
    hint: 'the burst must not be above the quota',
  },
  {
    file: /^cpu\.weight$/,
    code: 'EINVAL',
    hint: 'a cgroup with cpu.idle 1 has no weight: leave cpu.shares out, or set cpu.idle to 0',
  },
  { file: /^io\./, code: 'ENODEV', hint: 'there is no block device of this number: see lsblk' },
  {
    file: /^io\./,
    code: 'EOPNOTSUPP',
    hint: 'the I/O scheduler of this device has no weights: see /sys/block/*/queue/scheduler',
  },
  {
    file: /^hugetlb\./,
    code: 'ENOENT',
    hint: 'this kernel has no huge pages of this size: see /sys/kernel/mm/hugepages',
  },
  { file: /^rdma\./, code: 'ENODEV', hint: 'there is no RDMA device of this name: see rdma link' },
  {
    file: /^memory\.swap\./,
    code: 'ENOENT',
    hint: 'this kernel does not count swap: it has no CONFIG_SWAP, or was booted with swapaccount=0',
  },
  { file: /./, code: 'ENOENT', hint: 'the kernel has no such file: it may be too old for it' },
  { file: /./, code: 'EACCES', hint: 'the cgroup belongs to another user' },
  { file: /./, code: 'EROFS', hint: 'remount the cgroup2 file system read-write' },
]

function hintFor(name: string, errno: string): string | undefined {
  return WRITE_HINTS.find(({ file, code }) => code === errno && file.test(name))?.hint
}
