/** Reads TOML with one sentence for what is not as it should be. */
import { TsrunError } from '../errors.ts'

/** One table of a TOML file, read by key and type. */
export class TomlTable {
  readonly #file: string
  readonly #path: string
  readonly #values: Readonly<Record<string, unknown>>

  constructor(file: string, path: string, values: object) {
    this.#file = file
    this.#path = path
    this.#values = values as Record<string, unknown>
  }

  keys(): readonly string[] {
    return Object.keys(this.#values)
  }

  string(key: string): string | undefined {
    const value = this.#get(key)
    if (value === undefined || typeof value === 'string') return value
    throw this.refuse(key, 'must be a string')
  }

  flag(key: string): boolean {
    const value = this.#get(key) ?? false
    if (typeof value === 'boolean') return value
    throw this.refuse(key, 'must be true or false')
  }

  /** Strings, also when there is only one without brackets. */
  strings(key: string): readonly string[] | undefined {
    const value = this.#get(key)
    if (value === undefined) return undefined
    const list: unknown[] = Array.isArray(value) ? value : [value]
    if (list.every((item) => typeof item === 'string')) return list
    throw this.refuse(key, 'must be a list of strings')
  }

  oneOf<T extends string>(key: string, choices: readonly T[]): T | undefined {
    const text = this.string(key)
    if (text === undefined || text === '') return undefined
    const found = choices.find((choice) => choice === text)
    if (found !== undefined) return found
    throw this.refuse(key, `must be one of ${choices.join(', ')}`)
  }

  table(key: string): TomlTable | undefined {
    const value = this.#get(key)
    if (value === undefined) return undefined
    if (isTable(value)) return new TomlTable(this.#file, this.#nameOf(key), value)
    throw this.refuse(key, 'must be a table')
  }

  tables(key: string): readonly TomlTable[] {
    const value = this.#get(key) ?? []
    if (Array.isArray(value) && value.every(isTable))
      return value.map((item, i) => new TomlTable(this.#file, `${this.#nameOf(key)}[${i}]`, item))
    throw this.refuse(key, 'must be a list of tables')
  }

  /** The raw value, for keys that take several types. */
  value(key: string): unknown {
    return this.#get(key)
  }

  refuse(key: string, problem: string): TsrunError {
    return new TsrunError(
      'invalid-argument',
      `cannot use "${this.#file}": ${this.#nameOf(key)} ${problem}`,
    )
  }

  #get(key: string): unknown {
    return Object.hasOwn(this.#values, key) ? this.#values[key] : undefined
  }

  #nameOf(key: string): string {
    return this.#path === '' ? key : `${this.#path}.${key}`
  }
}

/** The top table of `text`; `file` is for messages. */
export async function readToml(text: string, file: string): Promise<TomlTable> {
  const { parse } = await import('smol-toml')
  try {
    return new TomlTable(file, '', parse(text))
  } catch (cause) {
    const detail = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause)
    throw new TsrunError('invalid-argument', `cannot use "${file}": it is not TOML: ${detail}`)
  }
}

function isTable(value: unknown): value is object {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
  )
}
