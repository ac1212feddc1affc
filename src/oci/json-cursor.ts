/** Walks untrusted JSON and collects what is wrong with it, each with its JSON pointer (RFC 6901). */

export interface Problem {
  /** JSON pointer of the offending value, `/process/args/0`; empty for the whole document. */
  readonly pointer: string
  /** One clause that reads after the pointer: `must be a string, not a number`. */
  readonly message: string
}

const NUL = '\0'

/** 2^32-2: the highest user or group id; 2^32-1 means "no change" to the kernel (chown(2)). */
export const MAX_ID = 0xffff_fffe

/**
 * One value of a document. A check returns the value when it is right, else reports and returns
 * undefined; an absent value (undefined, or null as Go's encoder writes it) passes every check but
 * `required`. So a validator reads as a list of fields.
 */
export class JsonCursor {
  readonly value: unknown
  readonly #parent: JsonCursor | undefined
  readonly #key: string
  readonly #problems: Problem[]

  private constructor(
    value: unknown,
    parent: JsonCursor | undefined,
    key: string,
    problems: Problem[],
  ) {
    this.value = value === null ? undefined : value
    this.#parent = parent
    this.#key = key
    this.#problems = problems
  }

  /** A cursor on a whole document that appends to `problems`. */
  static root(value: unknown, problems: Problem[]): JsonCursor {
    return new JsonCursor(value, undefined, '', problems)
  }

  /** Built on demand: most values are right and never need it. */
  get pointer(): string {
    if (this.#parent === undefined) return ''
    return `${this.#parent.pointer}/${this.#key.replaceAll('~', '~0').replaceAll('/', '~1')}`
  }

  get present(): boolean {
    return this.value !== undefined
  }

  report(message: string): undefined {
    this.#problems.push({ pointer: this.pointer, message })
    return undefined
  }

  /**
   * The field of an object; own properties only, so that `__proto__` is data like any other. One in
   * other letter case is renamed in the document: Go's decoder takes it, so runc does, and what it
   * asks for (`"Readonly": true`) must not be lost.
   */
  field(key: string): JsonCursor {
    const value = isObject(this.value) ? ownField(this.value, key) : undefined
    return new JsonCursor(value, this, key, this.#problems)
  }

  required(): this {
    if (!this.present) this.report('is required')
    return this
  }

  /**
   * Runs `check` on an object. What is absent never reaches its check: V8 compiles a function at its
   * first call, which is most of what a validation costs in a process that starts for one container.
   */
  object(check?: (object: JsonCursor) => void): boolean {
    if (!this.present) return false
    if (isObject(this.value)) {
      check?.(this)
      return true
    }
    this.#wrongType('an object')
    return false
  }

  items(): readonly JsonCursor[] {
    if (!this.present) return []
    if (!Array.isArray(this.value)) {
      this.#wrongType('an array')
      return []
    }
    // A null item is a value, not an absent one: it must not pass the checks of its type.
    return this.value.map((item: unknown, index) => {
      const cursor = new JsonCursor(item, this, String(index), this.#problems)
      if (item === null || item === undefined) cursor.report('must not be null')
      return cursor
    })
  }

  entries(): readonly (readonly [string, JsonCursor])[] {
    if (!this.object()) return []
    return Object.keys(this.value as object).map((key) => [key, this.field(key)] as const)
  }

  /** Text for the kernel or a file name: a NUL would cut it short there, so it is refused here. */
  string(): string | undefined {
    if (!this.present) return undefined
    if (typeof this.value !== 'string') return this.#wrongType('a string')
    if (this.value.includes(NUL)) return this.report('must not hold a NUL byte')
    return this.value
  }

  nonEmptyString(): string | undefined {
    const text = this.string()
    return text === '' ? this.report('must not be empty') : text
  }

  absolutePath(): string | undefined {
    const text = this.nonEmptyString()
    if (text === undefined || text.startsWith('/')) return text
    return this.report(`must be an absolute path, not ${JSON.stringify(text)}`)
  }

  /** Lists of strings are most of a config: one that is right costs no cursor an item. */
  strings(): readonly string[] {
    if (Array.isArray(this.value) && this.value.every(isPlainText)) return this.value
    const texts: string[] = []
    for (const item of this.items()) {
      const text = item.string()
      if (text !== undefined) texts.push(text)
    }
    return texts
  }

  stringMap(): void {
    for (const [, entry] of this.entries()) entry.required().string()
  }

  oneOf<T extends string>(allowed: readonly T[]): T | undefined {
    const text = this.string()
    if (text === undefined) return undefined
    const found = allowed.find((candidate) => candidate === text)
    if (found !== undefined) return found
    return this.report(`must be one of ${allowed.join(', ')}, not ${JSON.stringify(text)}`)
  }

  boolean(): boolean | undefined {
    if (!this.present) return undefined
    return typeof this.value === 'boolean' ? this.value : this.#wrongType('true or false')
  }

  /** A whole number in [min, max]; 64-bit limits are given as powers of two, exact in a double. */
  integer(min: number, max: number): number | undefined {
    if (!this.present) return undefined
    if (typeof this.value !== 'number') return this.#wrongType('a whole number')
    if (!Number.isInteger(this.value))
      return this.report(`must be a whole number, not ${this.value}`)
    if (this.value >= min && this.value <= max) return this.value
    return this.report(`must be from ${min} to ${max}, not ${this.value}`)
  }

  int64(): number | undefined {
    return this.integer(-(2 ** 63), 2 ** 63)
  }

  uint64(): number | undefined {
    return this.integer(0, 2 ** 64)
  }

  uint32(): number | undefined {
    return this.integer(0, 0xffff_ffff)
  }

  /** A user or group id. */
  id(): number | undefined {
    return this.integer(0, MAX_ID)
  }

  #wrongType(expected: string): undefined {
    return this.report(`must be ${expected}, not ${typeName(this.value)}`)
  }
}

function ownField(object: Record<string, unknown>, key: string): unknown {
  if (Object.hasOwn(object, key)) return object[key]
  const written = Object.keys(object).find((other) => isSameIgnoringCase(other, key))
  if (written === undefined) return undefined
  object[key] = object[written]
  Reflect.deleteProperty(object, written)
  return object[key]
}

function isSameIgnoringCase(one: string, other: string): boolean {
  return one.length === other.length && one.toLowerCase() === other.toLowerCase()
}

function isPlainText(value: unknown): value is string {
  return typeof value === 'string' && !value.includes(NUL)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function typeName(value: unknown): string {
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object') return 'an object'
  return `a ${typeof value}`
}
