/** Archives that a command is given: by path, or on standard input. */
import { createReadStream, statSync } from 'node:fs'
import { errnoCodeOf, TsrunError } from '../errors.ts'

/** The file, or standard input when undefined. */
export function openInput(path: string | undefined): AsyncIterable<Buffer> {
  const stream =
    path === undefined ? process.stdin : createReadStream(path, { highWaterMark: 256 * 1024 })
  return stream as AsyncIterable<Buffer>
}

/** Bytes of the file; of a pipe nothing is known before its end. */
export function sizeOfInput(path: string | undefined): number | undefined {
  const stats = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false })
  return stats?.isFile() === true ? stats.size : undefined
}

/** Says which archive it was that `cause` is about. */
export function inputError(verb: string, path: string | undefined, cause: unknown): TsrunError {
  if (errnoCodeOf(cause) === 'ENOENT' && !(cause instanceof TsrunError))
    return new TsrunError('not-found', `cannot ${verb} "${path}": there is no such file`)
  const kind = cause instanceof TsrunError ? cause.kind : 'internal'
  return new TsrunError(kind, `cannot ${verb} "${path ?? 'standard input'}"`, { cause })
}
