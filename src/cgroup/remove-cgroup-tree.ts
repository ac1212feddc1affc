/**
 * Removes a cgroup with all below it. The container may have made any tree there: with paths longer than
 * PATH_MAX, with more levels than we may have descriptors.
 */
import { constants, readdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { openIfThere } from '../native/owned-fd.ts'

/** Idempotent. Throws `unavailable` for one that does not become empty. */
export async function removeCgroupTree(directory: string): Promise<void> {
  let isEmpty = false
  while (!isEmpty) isEmpty = !(await removeLeaves(directory))
  await removeDirectory(directory, directory)
}

/** Walks down once, removing what has nothing below it; false when there is nothing more to remove. */
async function removeLeaves(top: string): Promise<boolean> {
  let path: string | undefined = top
  let hasRemoved = false
  let above: ReturnType<typeof openIfThere>
  try {
    while (path !== undefined) {
      const current = openIfThere(path, constants.O_DIRECTORY)
      above?.close()
      above = current
      if (current === undefined) return hasRemoved
      const children = childrenOf(`/proc/self/fd/${current.fd}`)
      path = undefined
      for (const child of children) {
        if (childrenOf(child).length > 0) path = child
        else {
          await removeDirectory(child, top)
          hasRemoved = true
        }
      }
    }
    return hasRemoved
  } finally {
    above?.close()
  }
}

function childrenOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(directory, entry.name))
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT' || errnoCodeOf(error) === 'ENODEV') return []
    throw error
  }
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
