/** HOME from the container's /etc/passwd when the config does not set it, as runc does. */
import type { Process, RuntimeConfig } from '../oci/runtime-config.ts'
import { readInRootfs } from './read-in-rootfs.ts'

const PASSWD_LIMIT = 1 << 20

/** `config` with `extra` and HOME in process.env. */
export function completeConfig(
  config: RuntimeConfig,
  rootfs: string,
  extra: readonly string[],
): RuntimeConfig {
  const process = config.process
  if (process === undefined) return config
  const env = [...(process.env ?? []), ...extra]
  return { ...config, process: processWithHome({ ...process, env }, rootfs) }
}

/** Each name once, with its last value: programs would read the first of two (as runc since 1.3). */
export function withoutRepeats(env: readonly string[]): readonly string[] {
  const entries = new Map(env.map((entry) => [entry.split('=', 1)[0] ?? '', entry]))
  return [...entries.values()]
}

/** `process` with HOME in its environment; `rootfs` may be /proc/<pid>/root of a running container. */
export function processWithHome(process: Process, rootfs: string): Process {
  // An empty HOME is none: runc's long habit, which images rely on.
  const env = withoutRepeats(process.env ?? []).filter((entry) => entry !== 'HOME=')
  if (env.some((entry) => entry.startsWith('HOME='))) return { ...process, env }
  const home = homeOf(process.user?.uid ?? 0, readPasswd(rootfs))
  return { ...process, env: [...env, `HOME=${home}`] }
}

/** The home directory of `uid` in the text of a passwd(5), `/` when it has no entry. */
export function homeOf(uid: number, passwd: string): string {
  for (const line of passwd.split('\n')) {
    const fields = line.split(':')
    if (fields[2] === String(uid) && fields[5] !== undefined && fields[5] !== '') return fields[5]
  }
  return '/'
}

function readPasswd(rootfs: string): string {
  return readInRootfs(rootfs, 'etc/passwd', PASSWD_LIMIT)?.toString() ?? ''
}
