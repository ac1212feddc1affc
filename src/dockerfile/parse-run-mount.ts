/** `RUN --mount=type=cache,target=/x`: what is mounted while one command runs. */
import { cited, dockerfileError, type Place, unsupportedError } from './dockerfile-error.ts'

interface AnyMount {
  /** Absolute, or below the working directory. */
  readonly target: string
}

export interface BindMount extends AnyMount {
  readonly type: 'bind'
  /** A stage or an image; the build context when undefined. */
  readonly from: string | undefined
  readonly source: string
  readonly readOnly: boolean
}

export interface CacheMount extends AnyMount {
  readonly type: 'cache'
  readonly id: string
  readonly sharing: 'shared' | 'private' | 'locked'
  readonly from: string | undefined
  readonly source: string
  readonly readOnly: boolean
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

export interface TmpfsMount extends AnyMount {
  readonly type: 'tmpfs'
  /** As in `size=64m`. */
  readonly size: string | undefined
}

export interface SecretMount {
  readonly type: 'secret'
  readonly id: string
  /** Undefined: only the variable. */
  readonly target: string | undefined
  readonly env: string | undefined
  readonly required: boolean
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

export type RunMount = BindMount | CacheMount | TmpfsMount | SecretMount

/** The names that each field goes by. */
const ALIASES: Readonly<Record<string, string>> = {
  dst: 'target',
  destination: 'target',
  src: 'source',
  ro: 'readonly',
  rw: 'readwrite',
}

const FIELDS: Readonly<Record<string, readonly string[]>> = {
  bind: ['target', 'source', 'from', 'readonly', 'readwrite'],
  cache: [
    ...['target', 'source', 'from', 'id', 'sharing', 'readonly', 'readwrite'],
    ...['mode', 'uid', 'gid'],
  ],
  tmpfs: ['target', 'size'],
  secret: ['id', 'source', 'target', 'env', 'required', 'mode', 'uid', 'gid'],
}

/** The value of one `--mount`, with its variables replaced. */
export function parseRunMount(text: string, place: Place): RunMount {
  const fields = fieldsOf(text, place)
  const type = fields.get('type') ?? 'bind'
  fields.delete('type')
  if (type === 'ssh')
    throw unsupportedError(place, 'RUN --mount=type=ssh is not supported by tsrun build')
  const known = Object.hasOwn(FIELDS, type) ? FIELDS[type] : undefined
  if (known === undefined)
    throw dockerfileError(
      place,
      `a mount of type ${cited(type)} is not known`,
      'use bind, cache, tmpfs or secret',
    )
  for (const name of fields.keys())
    if (!known.includes(name))
      throw dockerfileError(place, `a mount of type ${type} has no field ${cited(name)}`)
  const read = new FieldReader(fields, place)
  if (type === 'secret') return secretOf(read)
  const target = fields.get('target') ?? ''
  if (target === '') throw dockerfileError(place, `a mount of type ${type} needs a target`)
  if (type === 'tmpfs') return { type, target, size: fields.get('size') }
  const source = fields.get('source') ?? '/'
  const from = fields.get('from')
  const readOnly = read.isSet('readonly')
  const readWrite = read.isSet('readwrite')
  if (type === 'bind') return { type, target, source, from, readOnly: readOnly || !readWrite }
  return {
    type: 'cache',
    ...{ target, source, from },
    id: fields.get('id') ?? target,
    sharing: read.sharing(),
    readOnly,
    mode: read.mode(0o755),
    uid: read.number('uid'),
    gid: read.number('gid'),
  }
}

function secretOf(read: FieldReader): SecretMount {
  const target = read.fields.get('target')
  const env = read.fields.get('env')
  const id = read.fields.get('id') ?? read.fields.get('source') ?? target?.split('/').at(-1) ?? ''
  if (id === '') throw dockerfileError(read.place, 'a mount of type secret needs an id')
  return {
    type: 'secret',
    id,
    target: target ?? (env === undefined ? `/run/secrets/${id}` : undefined),
    env,
    required: read.isSet('required'),
    mode: read.mode(0o400),
    uid: read.number('uid'),
    gid: read.number('gid'),
  }
}

function fieldsOf(text: string, place: Place): Map<string, string> {
  const fields = new Map<string, string>()
  for (const part of text.split(',')) {
    const [key = '', ...rest] = part.split('=')
    const lower = key.trim().toLowerCase()
    const name = Object.hasOwn(ALIASES, lower) ? (ALIASES[lower] ?? lower) : lower
    if (name === '') throw dockerfileError(place, `the mount ${cited(text)} has an empty field`)
    if (fields.has(name)) throw dockerfileError(place, `the mount names ${cited(name)} twice`)
    fields.set(name, rest.length === 0 ? 'true' : rest.join('='))
  }
  return fields
}

class FieldReader {
  readonly fields: ReadonlyMap<string, string>
  readonly place: Place

  constructor(fields: ReadonlyMap<string, string>, place: Place) {
    this.fields = fields
    this.place = place
  }

  isSet(name: string): boolean {
    const value = this.fields.get(name) ?? 'false'
    if (/^(true|1)$/i.test(value)) return true
    if (/^(false|0)$/i.test(value)) return false
    throw dockerfileError(this.place, `${name} of a mount is true or false, not ${cited(value)}`)
  }

  number(name: string): number {
    const value = this.fields.get(name) ?? '0'
    if (/^\d{1,9}$/.test(value)) return Number(value)
    throw dockerfileError(this.place, `${name} of a mount is a number, not ${cited(value)}`)
  }

  mode(fallback: number): number {
    const value = this.fields.get('mode')
    if (value === undefined) return fallback
    if (/^0?[0-7]{1,4}$/.test(value)) return Number.parseInt(value, 8)
    throw dockerfileError(this.place, `mode of a mount is octal digits, not ${cited(value)}`)
  }

  sharing(): CacheMount['sharing'] {
    const value = this.fields.get('sharing') ?? 'shared'
    if (value === 'shared' || value === 'private' || value === 'locked') return value
    throw dockerfileError(
      this.place,
      `sharing of a mount is shared, private or locked, not ${cited(value)}`,
    )
  }
}
