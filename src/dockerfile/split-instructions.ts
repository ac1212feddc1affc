/**
 * A Dockerfile as instructions with their text in one line. Where instructions begin and end, comments and parser
 * directives are the business of dockerfile-ast; that parser is an editor's and takes everything, so what it
 * found is checked here.
 */
import { DockerfileParser } from 'dockerfile-ast'
import { cited, dockerfileError, type Place } from './dockerfile-error.ts'
import type { Heredoc } from './instruction.ts'
import { readHeredocs } from './read-heredocs.ts'

/** Larger than any that people write, small enough for a parser that was not made for hostile files. */
const MAX_BYTES = 1024 * 1024
/** dockerfile-ast needs the square of their number. */
const MAX_FLAGS = 4000
const WITH_HEREDOCS = /^(RUN|COPY|ADD|ONBUILD)$/

export interface RawInstruction extends Place {
  /** In upper case. */
  readonly keyword: string
  /** What follows it, without comments and line ends. */
  readonly rest: string
  readonly heredocs: readonly Heredoc[]
  /** The here-documents as they stand in the file; empty or ends with a newline. */
  readonly heredocText: string
}

export interface SplitDockerfile {
  readonly escapeChar: '\\' | '`'
  readonly instructions: readonly RawInstruction[]
}

/** Throws `invalid-argument` with file and line. `firstLine` is that of the text in the file. */
export function splitInstructions(text: string, file: string, firstLine = 1): SplitDockerfile {
  const plain = text.replace(/^\uFEFF/, '').replace(/\r\n/g, '\n')
  if (plain.length > MAX_BYTES)
    throw dockerfileError({ file, line: firstLine }, `it is longer than ${MAX_BYTES} bytes`)
  const lines = plain.split('\n')
  const nul = lines.findIndex((line) => line.includes('\0'))
  if (nul !== -1) throw dockerfileError({ file, line: firstLine + nul }, 'it has a NUL byte')
  if ((plain.match(/\s--/g)?.length ?? 0) > MAX_FLAGS)
    throw dockerfileError({ file, line: firstLine }, `it has more than ${MAX_FLAGS} flags`)
  const parsed = DockerfileParser.parse(plain)
  const named = parsed.getDirectives().find((each) => each.getName().toLowerCase() === 'escape')
  const escapeChar = escapeOf(named?.getValue() ?? '\\', { file, line: firstLine })
  const instructions = parsed.getInstructions().map((instruction) => {
    const { start, end } = instruction.getRange()
    const place = { file, line: firstLine + start.line }
    return toRaw(lines.slice(start.line, end.line + 1), escapeChar, place)
  })
  return { escapeChar, instructions }
}

function escapeOf(text: string, place: Place): '\\' | '`' {
  if (text === '\\' || text === '`') return text
  throw dockerfileError(place, `the escape character must be \\ or \`, not ${cited(text)}`)
}

function toRaw(lines: readonly string[], escapeChar: string, place: Place): RawInstruction {
  const { text, used } = joinLines(lines, escapeChar)
  const match = /^\s*(\S+)(?:\s+([\s\S]*))?$/.exec(text)
  const keyword = (match?.[1] ?? '').toUpperCase()
  const rest = (match?.[2] ?? '').trim()
  const below = lines.slice(used)
  const { heredocs, raw } = WITH_HEREDOCS.test(keyword)
    ? readHeredocs(rest, below, { escapeChar, place })
    : { heredocs: [], raw: [] }
  const left = below.slice(raw.length).findIndex((line) => !isSkipped(line))
  if (left !== -1)
    throw dockerfileError(
      { ...place, line: place.line + used + raw.length + left },
      `it belongs to no instruction: the one in line ${place.line} has ended before it`,
      'put the mark of a here-document between blanks: <<EOF',
    )
  return { ...place, keyword, rest, heredocs, heredocText: raw.map((line) => `${line}\n`).join('') }
}

// As docker joins them: comments and empty lines between are left out, with a warning there.
function joinLines(lines: readonly string[], escapeChar: string): { text: string; used: number } {
  let text = ''
  let used = 0
  for (const line of lines) {
    used++
    if (used > 1 && isSkipped(line)) continue
    const [kept, goesOn] = withoutContinuation(line, escapeChar)
    text += kept
    if (!goesOn) break
  }
  return { text, used }
}

function isSkipped(line: string): boolean {
  return /^\s*(#|$)/.test(line)
}

/** Two escapes at the end stand for one that goes on nothing. */
function withoutContinuation(line: string, escapeChar: string): readonly [string, boolean] {
  const end = line.trimEnd()
  if (!end.endsWith(escapeChar) || end.endsWith(escapeChar + escapeChar)) return [line, false]
  return [end.slice(0, -1), true]
}
