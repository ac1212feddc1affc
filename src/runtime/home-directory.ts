/** HOME from the container's /etc/passwd when the config does not set it, as runc does. */
import { readSync } from 'node:fs'
import { errnoCodeOf } from '../errors.ts'
import { OwnedFd } from '../native/owned-fd.ts'
import { newBatch, runBatch } from '../native/run-batch.ts'
import type { Process, RuntimeConfig } from '../oci/runtime-config.ts'

const AT_FDCWD = -100
const O_CLOEXEC = 0o2000000
const O_NONBLOCK = 0o4000 // an image may ship a FIFO there
const RESOLVE_NO_MAGICLINKS = 2
const RESOLVE_IN_ROOT = 16
const PASSWD_LIMIT = 1 << 20
const PASSWD_CHUNK = 1 << 12

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

function readUpTo(fd: number, limit: number): string {
  const chunks: Buffer[] = []
  for (let length = 0; length < limit; ) {
    const chunk = Buffer.allocUnsafe(Math.min(PASSWD_CHUNK, limit - length))
    const count = readSync(fd, chunk, 0, chunk.length, length)
    if (count === 0) break
    chunks.push(chunk.subarray(0, count))
    length += count
  }
  return Buffer.concat(chunks).toString()
}

// The image is hostile: symlinks resolve inside it, and what is not a plain file is not read.
function readPasswd(rootfs: string): string {
  const batch = newBatch()
  const how = batch.words([O_CLOEXEC | O_NONBLOCK, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS])
  const root = batch.sys('openat', [AT_FDCWD, batch.string(rootfs), 0o10000000 | O_CLOEXEC, 0])
  const fd = batch.sys('openat2', [root, batch.string('etc/passwd'), how, 24], { tolerate: ['*'] })
  batch.run('close', [root])
  const opened = runBatch(batch).value(fd)
  if (opened < 0) return ''
  using file = new OwnedFd(opened)
  try {
    return readUpTo(file.fd, PASSWD_LIMIT)
  } catch (error) {
    const code = errnoCodeOf(error)
    if (code === 'EISDIR' || code === 'ESPIPE' || code === 'EINVAL') return ''
    throw error
  }
}
