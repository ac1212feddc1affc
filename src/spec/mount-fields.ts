/** The fields of one --mount: `key=value` in a CSV record, keys in any case and under any of their names. */
import { refuseOption } from './invalid-option.ts'
import { splitCsv } from './split-csv.ts'

/** Other names of a key. */
const SYNONYMS: Readonly<Record<string, string>> = {
  src: 'source',
  dst: 'target',
  destination: 'target',
  ro: 'readonly',
  rw: 'readwrite',
  subpath: 'volume-subpath',
  u: 'chown',
}
/** Keys that may come several times. */
const REPEATED: ReadonlySet<string> = new Set(['volume-label', 'volume-opt'])

export class MountFields {
  /** The text of the option, for errors. */
  readonly whole: string
  readonly #values: ReadonlyMap<string, readonly string[]>

  constructor(whole: string, values: ReadonlyMap<string, readonly string[]>) {
    this.whole = whole
    this.#values = values
  }

  text(key: string): string | undefined {
    return this.#values.get(key)?.at(-1)
  }

  flag(key: string): boolean {
    const value = this.text(key) ?? 'false'
    if (value === 'true' || value === '1') return true
    if (value === 'false' || value === '0') return false
    return refuseOption(
      'mount',
      this.whole,
      `${key} must be true or false, not ${JSON.stringify(value)}`,
    )
  }

  /** `key=name=value` fields as a record; a name alone has an empty value. */
  pairs(key: string): Readonly<Record<string, string>> {
    return Object.fromEntries(
      (this.#values.get(key) ?? []).map((text) => {
        const [name = '', ...value] = text.split('=')
        if (name === '') refuseOption('mount', this.whole, `${key} has no name`)
        return [name, value.join('=')]
      }),
    )
  }

  /** Throws for a key that is not in `keys`. */
  allow(keys: readonly string[]): void {
    const type = this.text('type') ?? 'volume'
    for (const key of this.#values.keys()) {
      if (keys.includes(key)) continue
      if (/^(?:volume-|image-|bind-|tmpfs-)/.test(key))
        refuseOption('mount', this.whole, `${key} is not a key of type=${type}`)
      refuseOption('mount', this.whole, `${JSON.stringify(key)} is not a key of type=${type}`)
    }
  }
}

/** Splits `text` into its fields. */
export function readMountFields(text: string): MountFields {
  const values = new Map<string, string[]>()
  for (const field of splitCsv(text) ?? refuseOption('mount', text, 'its quotes do not match')) {
    const [key = '', ...value] = field.split('=')
    const name = SYNONYMS[key.toLowerCase()] ?? key.toLowerCase()
    const before = values.get(name) ?? []
    if (before.length > 0 && !REPEATED.has(name))
      refuseOption('mount', text, `it has "${key}" twice`)
    values.set(name, [...before, value.length === 0 ? 'true' : value.join('=')])
  }
  return new MountFields(text, values)
}
