/** What a test needs of the machine. A test that cannot run says why; CI does not let it skip. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Something that a machine has or has not: `root`, `cgroup2`, `userns`, `standalone`, or `command:<name>`. */
export type Requirement = 'root' | 'cgroup2' | 'userns' | 'standalone' | `command:${string}`

/**
 * The reason why a test that needs all of these cannot run here, or undefined: use it as
 * `describe.skipIf(missing('root', 'command:crun'))`. With TSRUN_CI=1 a missing one is an error.
 */
export function missing(...requirements: readonly Requirement[]): string | undefined {
  const reasons = requirements.flatMap((requirement) => reasonAgainst(requirement) ?? [])
  if (reasons.length === 0) return undefined
  const reason = reasons.join(', ')
  if (process.env.TSRUN_CI === '1') throw new Error(`CI must run every test: ${reason}`)
  console.warn(`skipped: ${reason}`)
  return reason
}

function reasonAgainst(requirement: Requirement): string | undefined {
  if (requirement === 'root') return process.geteuid?.() === 0 ? undefined : 'not root'
  if (requirement === 'cgroup2')
    return readFileSync('/proc/filesystems', 'utf8').includes('\tcgroup2\n')
      ? undefined
      : 'the kernel has no cgroup2'
  if (requirement === 'userns')
    return spawnSync('unshare', ['-U', 'true']).status === 0
      ? undefined
      : 'user namespaces are not allowed'
  if (requirement === 'standalone')
    return existsSync(fileURLToPath(new URL('../../dist/standalone/tsrun', import.meta.url)))
      ? undefined
      : 'dist/standalone/tsrun is not built (npm run build:standalone)'
  const command = requirement.slice('command:'.length)
  return isOnPath(command) ? undefined : `${command} is not installed (npm test installs it)`
}

function isOnPath(command: string): boolean {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return folders.some((folder) => existsSync(join(folder, command)))
}
