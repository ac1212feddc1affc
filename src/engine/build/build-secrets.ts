/** Secrets of a build: read when a command wants them, never part of a layer, a key or the history. */
import { readFileSync } from 'node:fs'
import type { SecretMount } from '../../dockerfile/parse-run-mount.ts'
import { TsrunError } from '../../errors.ts'
import type { SecretSource } from './build-request.ts'

/** The value that a mount asks for; undefined when the build has none and the mount can do without. */
export function readSecret(
  mount: SecretMount,
  secrets: ReadonlyMap<string, SecretSource>,
): Buffer | undefined {
  const source = secrets.get(mount.id)
  if (source !== undefined) return secretValue(mount.id, source)
  if (!mount.required) return undefined
  throw new TsrunError(
    'invalid-argument',
    `cannot give the secret "${mount.id}": the build has none of that name`,
    { hint: `use --secret id=${mount.id},src=FILE` },
  )
}

function secretValue(id: string, source: SecretSource): Buffer {
  if (source.kind === 'env') {
    const value = process.env[source.name]
    if (value !== undefined) return Buffer.from(value)
    throw new TsrunError(
      'invalid-argument',
      `cannot give the secret "${id}": the variable ${source.name} is not set`,
    )
  }
  try {
    return readFileSync(source.path)
  } catch (cause) {
    throw new TsrunError('invalid-argument', `cannot read the secret "${id}"`, { cause })
  }
}
