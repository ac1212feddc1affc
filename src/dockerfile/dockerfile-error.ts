/** What is wrong with a Dockerfile, with file and line. */
import { TsrunError } from '../errors.ts'

/** Where something stands. */
export interface Place {
  /** How the file is called in messages. */
  readonly file: string
  readonly line: number
}

/** `Dockerfile:3: problem`; longer pieces of the file in `problem` are cut by {@link cited}. */
export function dockerfileError(place: Place, problem: string, hint?: string): TsrunError {
  const text = `cannot use ${place.file}:${place.line}: ${problem}`
  return new TsrunError('invalid-argument', text, hint === undefined ? {} : { hint })
}

/** As {@link dockerfileError}, for what docker has and tsrun has not. */
export function unsupportedError(place: Place, problem: string, hint?: string): TsrunError {
  const text = `cannot use ${place.file}:${place.line}: ${problem}`
  return new TsrunError('not-implemented', text, hint === undefined ? {} : { hint })
}

/** A piece of the file in quotes, short enough for a message. */
export function cited(text: string): string {
  return `"${text.length > 80 ? `${text.slice(0, 77)}...` : text}"`
}
