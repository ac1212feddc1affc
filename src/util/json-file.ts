/** Reads and writes JSON files. */
import { readFileSync } from 'node:fs'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { type AtomicWriteOptions, writeFileAtomic } from './atomic-write.ts'

/** The value in the file, undefined when there is no such file; the caller checks its shape. */
export function readJsonFile(path: string): unknown {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    if (errnoCodeOf(cause) === 'ENOENT') return undefined
    throw new TsrunError('internal', `cannot read "${path}"`, { cause })
  }
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new TsrunError('failed-precondition', `cannot read "${path}": not JSON`, { cause })
  }
}

/** Replaces the file by `value`, whole or not at all. */
export function writeJsonFile(
  path: string,
  value: unknown,
  options: AtomicWriteOptions = {},
): void {
  writeFileAtomic(path, `${JSON.stringify(value)}\n`, options)
}
