/**
 * Secrets: small files that containers are given by name, and that no image, layer or `inspect` has.
 *
 *   <data root>/secrets/<name>.json   mode 0600 in a folder of mode 0700; written whole
 */
import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../../errors.ts'
import { namesIn } from '../../util/if-there.ts'
import { readJsonFile, writeJsonFile } from '../../util/json-file.ts'

/** As podman. */
const MAX_BYTES = 512_000
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,252}$/

export interface Secret {
  readonly version: 1
  readonly name: string
  /** 25 hex digits. */
  readonly id: string
  /** RFC 3339, UTC. */
  readonly createdAt: string
  readonly labels: Readonly<Record<string, string>>
  /** Base64. */
  readonly data: string
}

export interface NewSecret {
  readonly name: string
  readonly content: Uint8Array
  readonly labels: Readonly<Record<string, string>>
  /** One of the same name goes. */
  readonly replace: boolean
}

export class SecretStore {
  readonly #folder: string

  constructor(dataRoot: string) {
    this.#folder = join(dataRoot, 'secrets')
  }

  /** All secrets by name. */
  all(): readonly Secret[] {
    const names = namesIn(this.#folder).flatMap((file) =>
      file.startsWith('.') || !file.endsWith('.json') ? [] : [file.slice(0, -'.json'.length)],
    )
    return names.sort().flatMap((name) => this.read(name) ?? [])
  }

  /** Undefined when there is none of this name. */
  read(name: string): Secret | undefined {
    if (!NAME.test(name)) return undefined
    const value = readJsonFile(this.#path(name))
    if (value === undefined || isSecret(value, name)) return value
    throw new TsrunError(
      'failed-precondition',
      `cannot read secret "${name}": ${this.#path(name)} is damaged`,
      { hint: `remove it and make it anew: tsrun secret rm ${name}` },
    )
  }

  /** By name, or by an id or the beginning of one. Throws `not-found`. */
  find(reference: string): Secret {
    const byId = () => this.all().filter(({ id }) => reference !== '' && id.startsWith(reference))
    const [found, second] = [this.read(reference) ?? byId()].flat()
    if (found !== undefined && second === undefined) return found
    if (found === undefined)
      throw new TsrunError('not-found', `no such secret: ${reference}`, {
        hint: 'tsrun secret ls lists them',
      })
    throw new TsrunError(
      'invalid-argument',
      `cannot choose a secret: "${reference}" begins several ids`,
    )
  }

  create({ name, content, labels, replace }: NewSecret): Secret {
    check(name, content)
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
    const secret: Secret = {
      version: 1,
      name,
      id: randomBytes(13).toString('hex').slice(0, 25),
      createdAt: new Date().toISOString(),
      labels,
      data: Buffer.from(content).toString('base64'),
    }
    if (replace) writeJsonFile(this.#path(name), secret)
    else this.#writeNew(secret)
    return secret
  }

  /** Throws `not-found`. Containers that were made with it keep their copy. */
  remove(reference: string): void {
    // By its name also one that is damaged.
    const isName = NAME.test(reference) && namesIn(this.#folder).includes(`${reference}.json`)
    rmSync(this.#path(isName ? reference : this.find(reference).name), { force: true })
  }

  // link(2) refuses a name that is taken, and the file behind it is whole already.
  #writeNew(secret: Secret): void {
    const draft = join(this.#folder, `.${secret.id}`)
    try {
      writeJsonFile(draft, secret)
      linkSync(draft, this.#path(secret.name))
    } catch (error) {
      if (errnoCodeOf(error) !== 'EEXIST') throw error
      throw new TsrunError(
        'already-exists',
        `cannot create secret "${secret.name}": there is one of this name`,
        { hint: 'choose another name, or use --replace' },
      )
    } finally {
      rmSync(draft, { force: true })
    }
  }

  #path(name: string): string {
    return join(this.#folder, `${name}.json`)
  }
}

function check(name: string, content: Uint8Array): void {
  if (!NAME.test(name))
    throw new TsrunError('invalid-argument', `cannot create secret "${name}": it is no name`, {
      hint: 'a name has letters, digits, ".", "_" and "-", and begins with a letter or digit',
    })
  if (content.length === 0 || content.length > MAX_BYTES)
    throw new TsrunError(
      'invalid-argument',
      `cannot create secret "${name}": it has ${content.length} bytes, and must have 1 to ${MAX_BYTES}`,
    )
}

function isSecret(value: unknown, name: string): value is Secret {
  if (typeof value !== 'object' || value === null) return false
  const { version, name: own, id, data, labels, createdAt } = value as Partial<Secret>
  const texts = [id, data, createdAt]
  return (
    version === 1 &&
    own === name &&
    texts.every((text) => typeof text === 'string') &&
    typeof labels === 'object' &&
    labels !== null
  )
}
