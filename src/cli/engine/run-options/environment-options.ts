/** The environment that --env and --env-file ask for. */
import { readFileSync } from 'node:fs'
import { TsrunError } from '../../../errors.ts'
import type { CommandOptions, OptionSpec } from '../command.ts'

export const ENVIRONMENT_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  env: { type: 'list', alias: 'e', describe: 'set a variable', value: 'NAME[=value]' },
  'env-file': { type: 'list', describe: 'set the variables of a file', value: 'path' },
}

/** Variables as `NAME=value`, files first: `--env NAME` takes the value from tsrun's own environment. */
export function environmentOf(options: CommandOptions, own: NodeJS.ProcessEnv): string[] {
  const variables = [
    ...options.list('env-file').flatMap(readEnvironmentFile),
    ...options.list('env'),
  ]
  return variables.map((variable) => {
    if (variable.includes('=')) return variable
    if (variable === '')
      throw new TsrunError('invalid-argument', 'cannot set a variable without a name')
    const value = own[variable]
    // A bare name that is not set removes the image's variable, as in docker.
    return value === undefined ? variable : `${variable}=${value}`
  })
}

function readEnvironmentFile(path: string): string[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new TsrunError('invalid-argument', `cannot read the environment file "${path}"`, {
      cause,
    })
  }
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/)
  return lines
    .map((line) => line.trimStart())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => checkVariable(line, path))
}

function checkVariable(line: string, path: string): string {
  const name = line.split('=', 1)[0] ?? ''
  if (name !== '' && !/\s/.test(name)) return line
  throw new TsrunError(
    'invalid-argument',
    `cannot read the environment file "${path}": "${line}" has no valid name`,
  )
}
