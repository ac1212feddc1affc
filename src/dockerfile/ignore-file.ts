/** .dockerignore: which paths of a context a build does not see. The rules are those of docker's patternmatcher. */
import { posix } from 'node:path'
import { TsrunError } from '../errors.ts'
import { compilePattern, type PathPattern, PatternError } from './path-pattern.ts'

/** Answers for relative paths, as text. */
export interface PathFilter {
  /** Leaves the path out. */
  excludes(path: string): boolean
  /** Whether something below a folder that is left out can be in again. */
  mayKeepBelow(path: string): boolean
}

interface Rule {
  readonly pattern: PathPattern
  /** `!`: takes back what rules before it left out. */
  readonly keeps: boolean
}

const MAX_BYTES = 4 * 1024 * 1024

/** Names of the file beside a Dockerfile's own, the first that is there counts; `dockerfile` is a path. */
export function ignoreFileNames(dockerfile: string): readonly string[] {
  return [`${dockerfile}.dockerignore`, '.containerignore', '.dockerignore']
}

/** Reads the file's text; `path` is for messages. Throws `invalid-argument` with the line of a bad pattern. */
export function parseIgnoreFile(text: string, path: string): PathFilter {
  if (text.length > MAX_BYTES)
    throw new TsrunError('invalid-argument', `cannot use "${path}": it has more than 4 MiB`)
  const lines = text.replace(/^\ufeff/, '').split('\n')
  return filterOf(
    lines.flatMap((line, index) =>
      line.startsWith('#') ? [] : rulesOf(line, `"${path}" line ${index + 1}`),
    ),
  )
}

/** The filter of patterns given one by one, such as `--exclude` has. */
export function filterByPatterns(patterns: readonly string[], option: string): PathFilter {
  return filterOf(patterns.flatMap((text) => rulesOf(text, option)))
}

function rulesOf(line: string, where: string): readonly Rule[] {
  const text = line.trim()
  if (text === '') return []
  const keeps = text.startsWith('!')
  const named = keeps ? text.slice(1).trim() : text
  if (named === '')
    throw new TsrunError('invalid-argument', `cannot use ${where}: "!" needs a pattern`)
  const clean = posix.normalize(named).replace(/(?<=.)\/$/, '')
  const pattern = clean.length > 1 && clean.startsWith('/') ? clean.slice(1) : clean
  try {
    return [{ pattern: compilePattern(pattern, 'ignore'), keeps }]
  } catch (cause) {
    if (!(cause instanceof PatternError)) throw cause
    throw new TsrunError(
      'invalid-argument',
      `cannot use ${where}: ${JSON.stringify(named)} is no pattern: ${cause.message}`,
    )
  }
}

function filterOf(rules: readonly Rule[]): PathFilter {
  return {
    excludes(path) {
      let excluded = false
      for (const { pattern, keeps } of rules) {
        if (keeps === excluded && pattern.match(path).wholeOrParent) excluded = !keeps
      }
      return excluded
    },
    mayKeepBelow: (path) => rules.some(({ pattern, keeps }) => keeps && pattern.match(path).below),
  }
}
