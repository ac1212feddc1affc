/** Here-documents of an instruction: `<<EOF` in its text, and the lines below it up to `EOF`. */
import { cited, dockerfileError, type Place } from './dockerfile-error.ts'
import type { Heredoc } from './instruction.ts'
import { splitQuoted } from './split-words.ts'

const MARK = /^\d*<<(-?)(?:"([^"<>]+)"|'([^'<>]+)'|([^<>"'\s]+))$/

interface Mark {
  readonly name: string
  /** `<<-`: tabs at the start of each line go. */
  readonly chomp: boolean
  readonly expand: boolean
}

/** What of the text is `<<NAME`. */
export function heredocMark(word: string): Mark | undefined {
  const match = MARK.exec(word)
  if (match === null) return undefined
  const [, dash, double, single, bare] = match
  const name = double ?? single ?? bare
  return name === undefined ? undefined : { name, chomp: dash === '-', expand: bare !== undefined }
}

export interface ReadHeredocs {
  readonly heredocs: readonly Heredoc[]
  /** The lines of all of them with their ends, as they stand in the file. */
  readonly raw: readonly string[]
}

/** The here-documents that `text` begins, from `lines`, which are what follows it. */
export function readHeredocs(
  text: string,
  lines: readonly string[],
  { escapeChar, place }: { readonly escapeChar: string; readonly place: Place },
): ReadHeredocs {
  const heredocs: Heredoc[] = []
  let next = 0
  for (const word of splitQuoted(text, escapeChar)) {
    const mark = heredocMark(word)
    if (mark === undefined) continue
    const body: string[] = []
    for (;;) {
      const line = lines[next]
      if (line === undefined)
        throw dockerfileError(place, `the here-document ${cited(mark.name)} has no end`)
      next++
      const text = mark.chomp ? line.replace(/^\t+/, '') : line
      if (text === mark.name) break
      body.push(`${text}\n`)
    }
    heredocs.push({ name: mark.name, content: body.join(''), expand: mark.expand })
  }
  return { heredocs, raw: lines.slice(0, next) }
}
