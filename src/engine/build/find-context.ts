/** Where the folder that is named as build context is. */
import { realpathSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { errnoCodeOf, TsrunError } from '../../errors.ts'

/** The folder's path without links: the user may name one that leads to it. */
export function findContext(path: string): string {
  const failed = (reason: string) =>
    new TsrunError('invalid-argument', `cannot use the build context "${path}": ${reason}`)
  try {
    const real = realpathSync(resolve(path))
    if (statSync(real).isDirectory()) return real
  } catch (error) {
    const code = errnoCodeOf(error)
    if (code === undefined) throw error
    const isMissing = code === 'ENOENT' || code === 'ENOTDIR'
    throw failed(isMissing ? 'it does not exist' : `it cannot be reached (${code})`)
  }
  throw failed('it is no folder')
}
