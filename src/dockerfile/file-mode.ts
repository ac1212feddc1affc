/** Modes as `--chmod` and chmod(1) have them: octal or symbolic. */
import { TsrunError } from '../errors.ts'

/** The new permission bits of something that has `mode`. */
export type ModeChange = (mode: number, isFolder: boolean) => number

type Change = (mode: number, before: number, isFolder: boolean) => number

const CLASSES: Readonly<Record<string, number>> = { u: 0o4700, g: 0o2070, o: 0o1007, a: 0o7777 }
const BITS: Readonly<Record<string, number>> = {
  r: 0o444,
  w: 0o222,
  x: 0o111,
  s: 0o6000,
  t: 0o1000,
}

/** Parses `0644`, `u=rwX,go=rX`. A class that is not named is all: no umask takes part. */
export function parseModeChange(text: string): ModeChange {
  if (/^[0-7]{1,5}$/.test(text)) {
    const mode = Number.parseInt(text, 8)
    if (mode <= 0o7777) return () => mode
  }
  const clauses = text.split(',').map((clause) => changesOf(clause, text))
  const changes = clauses.flat()
  return (mode, isFolder) =>
    changes.reduce((now, change) => change(now, mode, isFolder), mode & 0o7777)
}

function changesOf(clause: string, text: string): readonly Change[] {
  const match = /^([ugoa]*)((?:[+=-](?:[ugo]|[rwxXst]*))+)$/.exec(clause)
  if (match === null)
    throw new TsrunError(
      'invalid-argument',
      `cannot use --chmod ${JSON.stringify(text)}: it is no mode`,
      { hint: 'write it as 0644 or as u=rwX,go=rX' },
    )
  const [, classes = '', actions = ''] = match
  const mask = [...(classes === '' ? 'a' : classes)].reduce(
    (all, name) => all | (CLASSES[name] ?? 0),
    0,
  )
  return [...actions.matchAll(/([+=-])([^+=-]*)/g)].map(([, sign = '', what = '']) =>
    changeOf(mask, sign, what),
  )
}

function changeOf(mask: number, sign: string, what: string): Change {
  return (mode, before, isFolder) => {
    const bits = bitsOf(what, mode, isFolder || (before & 0o111) !== 0) & mask
    if (sign === '+') return mode | bits
    return sign === '-' ? mode & ~bits : (mode & ~mask) | bits
  }
}

function bitsOf(what: string, mode: number, mayExecute: boolean): number {
  const shift: Readonly<Record<string, number>> = { u: 6, g: 3, o: 0 }
  const from = shift[what]
  if (from !== undefined) return ((mode >> from) & 7) * 0o111
  return [...what].reduce(
    (all, letter) => all | (letter === 'X' ? (mayExecute ? 0o111 : 0) : (BITS[letter] ?? 0)),
    0,
  )
}
