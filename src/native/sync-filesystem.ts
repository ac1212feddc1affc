/** syncfs(2), which Node does not have. */
import { closeSync, constants, openSync } from 'node:fs'
import { newBatch, runBatchAsync } from './run-batch.ts'

/**
 * Writes everything of the file system that holds `folder` to its disk, in a thread of libuv's pool.
 * Throws SyscallError, also for an earlier write that failed in the background (syncfs(2), since 5.8).
 */
export async function syncFilesystem(folder: string): Promise<void> {
  const fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    const batch = newBatch()
    batch.at(folder, () => batch.run('syncfs', [fd]))
    await runBatchAsync(batch)
  } finally {
    closeSync(fd)
  }
}
