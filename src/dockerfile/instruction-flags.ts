/** The flags between an instruction and its arguments: `--from=build --link`. */
import { cited, dockerfileError, type Place } from './dockerfile-error.ts'

export interface Flags {
  /** Values of each flag in order; a flag without `=` has the value undefined. */
  readonly values: ReadonlyMap<string, readonly (string | undefined)[]>
  /** The text after them. */
  readonly rest: string
}

const FLAG = /--([a-z][a-z-]*)(?:=((?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')*))?(?=\s|$)\s*/y

/** Takes the flags off the start of `text`; throws for one that is not in `known`. */
export function takeFlags(text: string, known: readonly string[], place: Place): Flags {
  const values = new Map<string, (string | undefined)[]>()
  let at = 0
  while (text.startsWith('--', at)) {
    if (/--(\s|$)/.test(text.slice(at, at + 3))) return { values, rest: text.slice(at + 2).trim() }
    FLAG.lastIndex = at
    const match = FLAG.exec(text)
    const name = match?.[1]
    if (match === null || name === undefined)
      throw dockerfileError(
        place,
        `${cited(text.slice(at, at + 100).split(/\s/, 1)[0] ?? '')} is no flag`,
      )
    if (!known.includes(name)) throw unknownFlag(name, known, place)
    const list = values.get(name) ?? []
    list.push(match.at(2))
    values.set(name, list)
    at += match[0].length
  }
  return { values, rest: text.slice(at) }
}

function unknownFlag(name: string, known: readonly string[], place: Place) {
  const names = known.map((each) => `--${each}`).join(', ')
  return dockerfileError(
    place,
    `the flag --${name} is not known here`,
    known.length === 0 ? 'this instruction takes none' : `it takes ${names}`,
  )
}

/** The one value of a flag; throws when it has none or is given twice. */
export function oneValue(flags: Flags, name: string, place: Place): string | undefined {
  const [value, ...more] = flags.values.get(name) ?? []
  if (!flags.values.has(name)) return undefined
  if (more.length > 0) throw dockerfileError(place, `the flag --${name} is given twice`)
  if (value === undefined || value === '')
    throw dockerfileError(place, `the flag --${name} needs a value: --${name}=...`)
  return value
}

/** A flag that is there or not, or says `=true` or `=false`. */
export function isSet(flags: Flags, name: string, place: Place): boolean {
  const [value = 'true', ...more] = flags.values.get(name) ?? ['false']
  if (more.length > 0) throw dockerfileError(place, `the flag --${name} is given twice`)
  if (value === 'true' || value === 'false') return value === 'true'
  throw dockerfileError(place, `the flag --${name} takes true or false, not ${cited(value)}`)
}
