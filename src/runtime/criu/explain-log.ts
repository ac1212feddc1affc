/** Why criu failed, in its own words: the errors of its log. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { TsrunError } from '../../errors.ts'

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

/** `error` with what the log says. */
export function withLog(error: unknown, directory: string, file: string): TsrunError {
  const path = join(directory, file)
  const cause = error instanceof TsrunError ? error : new TsrunError('internal', String(error))
  const errors = errorsOf(readLog(path))
  if (errors.length === 0) return cause
  return new TsrunError(cause.kind, `criu failed: ${errors.join('; ')}`, {
    hint: cause.hint ?? `the whole story is in ${path}`,
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
