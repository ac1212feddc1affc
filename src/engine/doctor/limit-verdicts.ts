/** Limits of the kernel that many containers run into before anything else is short. */
import type { HostReader } from './host-reader.ts'
import { ok, type Verdict, warn } from './verdict.ts'

/** The old default of 128 instances and 8192 watches ends `tail -f` and file watchers in containers: one user's for all. */
const WANTED_INSTANCES = 512
const WANTED_WATCHES = 65_536
/** Each container has a session keyring; they count for the user that made them. */
const WANTED_KEYS = 1000

export function examineInotify(host: HostReader): Verdict {
  const instances = numberIn(host, '/proc/sys/fs/inotify/max_user_instances')
  const watches = numberIn(host, '/proc/sys/fs/inotify/max_user_watches')
  const text = `${instances} instances and ${watches} watches for each user`
  if (instances >= WANTED_INSTANCES && watches >= WANTED_WATCHES) return ok('inotify', text)
  return warn(
    'inotify',
    `${text}: programs in many containers share them`,
    `sysctl fs.inotify.max_user_instances=${WANTED_INSTANCES} fs.inotify.max_user_watches=524288`,
  )
}

export function examineKeys(host: HostReader): Verdict {
  const name = host.isRoot ? 'root_maxkeys' : 'maxkeys'
  const keys = numberIn(host, `/proc/sys/kernel/keys/${name}`)
  if (keys >= WANTED_KEYS || Number.isNaN(keys)) return ok('keyrings', `${keys} for this user`)
  return warn(
    'keyrings',
    `${keys} for this user, and each container takes one`,
    `sysctl kernel.keys.${name}=20000, as root`,
  )
}

function numberIn(host: HostReader, path: string): number {
  return Number(host.read(path)?.trim() ?? Number.NaN)
}
