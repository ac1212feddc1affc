/** `tsrun secret create`: keeps a secret. */
import { readFileSync } from 'node:fs'
import { openEngine } from '../../../engine/engine.ts'
import { SecretStore } from '../../../engine/secrets/secret-store.ts'
import { TsrunError } from '../../../errors.ts'
import type { CommandInput, EngineCommand } from '../command.ts'

export const command: EngineCommand = {
  usage: 'secret create [options] NAME FILE|-',
  describe:
    'Keep what is in a file, or on stdin, as a secret for containers, and print its id. It is stored on disk as it is, readable for root alone.',
  options: {
    env: { type: 'flag', describe: 'FILE is the name of an environment variable' },
    label: { type: 'list', alias: 'l', describe: 'a label for the secret', value: 'key=value' },
    replace: { type: 'flag', describe: 'one of the same name goes' },
  },
  examples: [
    { does: 'From a file, and into a container', line: 'secret create db-password password.txt' },
    { does: 'What is in a variable', line: 'secret create --env db-password DB_PASSWORD' },
  ],
  positionals: { min: 2, max: 2 },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const [name = '', source = ''] = positionals
  const engine = openEngine(roots)
  await engine.sweep()
  const content = options.flag('env') ? variable(name, source) : contentOf(name, source)
  const labels = Object.fromEntries(options.list('label').map(labelOf))
  const replace = options.flag('replace')
  const { id } = new SecretStore(engine.dataRoot).create({ name, content, labels, replace })
  process.stdout.write(`${id}\n`)
  return 0
}

function contentOf(name: string, source: string): Uint8Array {
  try {
    return readFileSync(source === '-' ? 0 : source)
  } catch (cause) {
    throw new TsrunError('invalid-argument', `cannot create secret "${name}"`, {
      cause,
      hint: 'give the path of a file, or - for stdin',
    })
  }
}

function variable(name: string, source: string): Uint8Array {
  const value = process.env[source]
  if (value !== undefined) return Buffer.from(value)
  throw new TsrunError(
    'invalid-argument',
    `cannot create secret "${name}": the variable ${source} is not set`,
    { hint: 'set and export it first' },
  )
}

function labelOf(text: string): readonly [string, string] {
  const [key = '', ...rest] = text.split('=')
  if (key !== '') return [key, rest.join('=')]
  throw new TsrunError('invalid-argument', `cannot use --label "${text}": it must be key=value`)
}
