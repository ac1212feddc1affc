/** The one form of "this option is wrong" that src/spec throws. */
import { TsrunError } from '../errors.ts'

/** Throws `cannot use <option> "<text>": <problem>`. */
export function refuseOption(option: string, text: string, problem: string): never {
  throw new TsrunError(
    'invalid-argument',
    `cannot use ${option} ${JSON.stringify(text)}: ${problem}`,
  )
}

/** Throws `cannot use <option> "<text>": unsupported: <what>`. */
export function refuseUnsupported(option: string, text: string, what: string): never {
  throw new TsrunError(
    'not-implemented',
    `cannot use ${option} ${JSON.stringify(text)}: unsupported: ${what}`,
  )
}

/** Refuses a NUL: the kernel and every C program would see the text end there. */
export function refuseNul(option: string, text: string): void {
  if (text.includes('\0')) refuseOption(option, text, 'it holds a NUL byte')
}
