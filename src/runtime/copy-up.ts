/** Node's part of the mount option tmpcopyup (src/plan/compile/tmpfs-copy-up.ts): copies a directory into a tmpfs. */
import { chmodSync, chownSync, fstatSync, readFileSync } from 'node:fs'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { receiveMessage } from '../native/pass-descriptors.ts'
import { copyTree } from './copy-tree.ts'

/** The name of our end of the plan's `copyUp` socket. */
export const COPY_UP_SOCKET = 'copy-up socket'

/** Takes both directories from init, whose pid is `pid`, and copies one into the other. */
export async function copyUp(socket: number, pid: number): Promise<void> {
  using from = (await receiveMessage(socket)).descriptor
  const { text, descriptor } = await receiveMessage(socket)
  using to = descriptor
  if (from === undefined || to === undefined)
    throw new TsrunError('internal', 'the plan sent no directory to copy')
  const words = text.split(' ')
  const target = `/proc/self/fd/${to.fd}`
  try {
    if (words.includes('owner')) chownSync(target, hostId(pid, 'uid'), hostId(pid, 'gid'))
    if (words.includes('mode')) chmodSync(target, fstatSync(from.fd).mode & 0o7777)
    await copyTree(from.fd, to.fd)
  } catch (cause) {
    const code = errnoCodeOf(cause) ?? ''
    throw new TsrunError(
      'failed-precondition',
      `cannot copy a directory up into its tmpfs (tmpcopyup): ${code}`,
      {
        cause,
        ...(code === 'ENOSPC' ? { hint: 'give the tmpfs a greater size= or nr_inodes=' } : {}),
      },
    )
  }
}

/** What id 0 of the container is on the host: the first line of uid_map that holds it (user_namespaces(7)). */
function hostId(pid: number, kind: 'uid' | 'gid'): number {
  for (const line of readFileSync(`/proc/${pid}/${kind}_map`, 'utf8').split('\n')) {
    const [inside, outside] = line.trim().split(/\s+/).map(Number)
    if (inside === 0 && outside !== undefined) return outside
  }
  return 0
}
