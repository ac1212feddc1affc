/** The key sequence that leaves a container running and gives the terminal back: docker's ctrl-p,ctrl-q. */
import { TsrunError } from '../../errors.ts'

export const DEFAULT_DETACH_KEYS = 'ctrl-p,ctrl-q'

/** Parses `ctrl-p,ctrl-q`, `a,b` or an empty text for none. */
export function parseDetachKeys(text: string): Buffer {
  if (text === '') return Buffer.alloc(0)
  return Buffer.from(text.split(',').map(keyCode))
}

function keyCode(key: string): number {
  if (/^[\x20-\x7e]$/.test(key)) return key.charCodeAt(0)
  const control = /^ctrl-([a-z@[\\\]^_])$/.exec(key)?.[1]
  if (control !== undefined) return control.toUpperCase().charCodeAt(0) & 0x1f
  throw new TsrunError(
    'invalid-argument',
    `cannot use the detach key "${key}": it must be one character or ctrl- and one of a-z @ [ \\ ] ^ _`,
  )
}

/** Looks for the sequence in what the user types. */
export class DetachKeyWatcher {
  readonly #keys: Buffer
  #matched = 0

  constructor(keys: Buffer) {
    this.#keys = keys
  }

  /** What to pass on of `input`; a begun sequence is held back until it is complete or broken. */
  feed(input: Buffer): { readonly pass: Buffer; readonly detached: boolean } {
    if (this.#keys.length === 0) return { pass: input, detached: false }
    const pass: number[] = []
    for (const byte of input) {
      if (byte !== this.#keys[this.#matched]) {
        pass.push(...this.#keys.subarray(0, this.#matched))
        this.#matched = 0
      }
      if (byte === this.#keys[this.#matched]) this.#matched++
      else pass.push(byte)
      if (this.#matched === this.#keys.length) return { pass: Buffer.from(pass), detached: true }
    }
    return { pass: Buffer.from(pass), detached: false }
  }
}
