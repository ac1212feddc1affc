/** Writes the files of an image layout into a new folder, whole or not at all. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { PackedFile } from '../archive/tar-pack.ts'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { syncFolder } from '../util/atomic-write.ts'

/** Makes `folder`, which must be empty or not there, with `files` (relative names of ours, no one else's). */
export async function writeFolder(folder: string, files: Iterable<PackedFile>): Promise<void> {
  const whole = folder.replace(/\/+$/, '')
  refuseFull(whole)
  const temporary = `${whole}.${randomBytes(6).toString('hex')}.tmp`
  try {
    mkdirSync(temporary, { mode: 0o755 })
    for (const file of files) await writeFile(temporary, file)
    // An empty folder may stand there: rename(2) replaces it only when rmdir(2) would take it.
    if (isThere(whole)) rmdirSync(whole)
    renameSync(temporary, whole)
    syncFolder(dirname(whole))
  } catch (cause) {
    rmSync(temporary, { recursive: true, force: true })
    if (cause instanceof TsrunError) throw cause
    const errno = errnoCodeOf(cause)
    throw new TsrunError('internal', `cannot write the folder "${whole}"`, {
      cause,
      ...(errno === undefined ? {} : { errno }),
    })
  }
}

async function writeFile(folder: string, { name, content }: PackedFile): Promise<void> {
  const path = join(folder, name)
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
  const file = await open(path, 'wx', 0o644)
  try {
    for await (const chunk of content) await file.writeFile(chunk)
    await file.sync()
  } finally {
    await file.close()
  }
}

function refuseFull(folder: string): void {
  if (!isThere(folder) || readdirSync(folder).length === 0) return
  throw new TsrunError('already-exists', `cannot write the folder "${folder}": it is not empty`, {
    hint: 'name a new one',
  })
}

function isThere(folder: string): boolean {
  try {
    readdirSync(folder)
    return true
  } catch (cause) {
    if (errnoCodeOf(cause) === 'ENOENT') return false
    throw new TsrunError('failed-precondition', `cannot write the folder "${folder}"`, { cause })
  }
}
