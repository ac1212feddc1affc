/** What a cgroup has before anybody writes to it. */
import type { CgroupWrite } from './resources-to-files.ts'

// Documentation/admin-guide/cgroup-v2.rst, "Interface Files" of each controller.
const DEFAULTS: ReadonlyMap<string, readonly string[]> = new Map([
  ['memory.max', ['max']],
  ['memory.swap.max', ['max']],
  ['memory.low', ['0']],
  ['pids.max', ['max']],
  ['cpu.max', ['max', 'max 100000']],
  ['cpu.weight', ['100']],
  ['cpu.idle', ['0']],
  ['cpu.max.burst', ['0']],
])

/**
 * Whether a cgroup without the controller is as the write asks for: callers say `unlimited` or 1024
 * shares where their user asked for nothing (`ctr run`, `podman run --pids-limit -1`).
 */
export function isKernelDefault({ file, value }: CgroupWrite): boolean {
  return DEFAULTS.get(file)?.includes(value) ?? false
}
