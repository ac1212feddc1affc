/** Removes a cgroup with all below it. */
import { rmdirSync } from 'node:fs'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { walkCgroups } from './cgroup-tree.ts'

/** Idempotent. Throws `unavailable` for one that does not become empty. */
export async function removeCgroupTree(directory: string): Promise<void> {
  for (const { kind, path } of walkCgroups(directory))
    if (kind === 'leave') await removeDirectory(path, directory)
  await removeDirectory(directory, directory)
}

// The kernel needs a moment after the last process: rmdir says EBUSY until then.
async function removeDirectory(directory: string, top: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      rmdirSync(directory)
      return
    } catch (error) {
      const code = errnoCodeOf(error)
      if (code === 'ENOENT') return
      if (code !== 'EBUSY' || attempt >= 100) {
        throw new TsrunError('unavailable', `cannot remove the cgroup ${top}: ${code}`, {
          cause: error,
        })
      }
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}
