/** Why criu failed, in its own words: the errors of its log. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { TsrunError } from '../../errors.ts'
import { CriuError } from './criu-error.ts'

const MOST_LINES = 3

// Every criu without CAP_SYS_RESOURCE says so, and goes on.
const NOISE = /rlimit: Can't setup RLIMIT_NOFILE/

/** The first errors in the text of a log, without the time and the place in criu's source. */
export function errorsOf(log: string): readonly string[] {
  return log
    .split('\n')
    .flatMap((line) => /\bError \([^)]*\): (.*)$/.exec(line)?.[1]?.trim() ?? [])
    .filter((text) => !NOISE.test(text))
    .slice(0, MOST_LINES)
}

/** `error` in the words of the log, when it is criu that failed. */
export function withLog(error: unknown, directory: string, file: string): unknown {
  if (!(error instanceof CriuError)) return error
  const path = join(directory, file)
  const errors = errorsOf(readLog(path))
  if (errors.length === 0) return error
  return new TsrunError(error.kind, `criu failed: ${errors.join('; ')}`, {
    hint: `the whole story is in ${path}`,
  })
}

function readLog(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // criu failed before it had a log: the error itself must do.
    return ''
  }
}
