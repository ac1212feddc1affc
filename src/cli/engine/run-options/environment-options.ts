/** The environment that --env and --env-file ask for. */
import { readFileSync } from 'node:fs'
import type { RunRequest } from '../../../engine/run-request.ts'
import { TsrunError } from '../../../errors.ts'
import type { CommandOptions, OptionSpec } from '../command.ts'

export const ENVIRONMENT_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  env: { type: 'list', alias: 'e', describe: 'set a variable', value: 'NAME[=value]' },
  'env-file': { type: 'list', describe: 'set the variables of a file', value: 'path' },
  'env-host': { type: 'flag', describe: 'all variables of the caller, below those of the image' },
  'env-merge': {
    type: 'list',
    describe: 'set a variable made of those of the image',
    value: 'NAME=value',
  },
  'http-proxy': { type: 'flag', describe: "the caller's variables for proxies" },
  unsetenv: { type: 'list', describe: 'leave out a variable of the image', value: 'NAME' },
  'unsetenv-all': { type: 'flag', describe: 'leave out all variables of the image' },
}

const PROXY_VARIABLES = ['http_proxy', 'https_proxy', 'ftp_proxy', 'no_proxy', 'all_proxy']

/** What stands below and beside the variables of --env. */
export function environmentRequest(options: CommandOptions): Partial<RunRequest> {
  const own = Object.entries(process.env).map(([name, value]) => `${name}=${value ?? ''}`)
  const isProxy = (text: string) =>
    PROXY_VARIABLES.includes(text.split('=', 1)[0]?.toLowerCase() ?? '')
  const proxies = options.flag('http-proxy') ? own.filter(isProxy) : []
  return {
    envHost: options.flag('env-host') ? own : proxies,
    envMerge: options.list('env-merge'),
    unsetEnv: options.list('unsetenv'),
    unsetEnvAll: options.flag('unsetenv-all'),
  }
}

/** Labels as `key=value`, one a line, with # for comments. */
export function readLabelFile(path: string): string[] {
  return readLines(path, 'label file')
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
  return readLines(path, 'environment file')
}

function readLines(path: string, what: string): string[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new TsrunError('invalid-argument', `cannot read the ${what} "${path}"`, {
      cause,
    })
  }
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/)
  return lines
    .map((line) => line.trimStart())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => checkVariable(line, path, what))
}

function checkVariable(line: string, path: string, what: string): string {
  const name = line.split('=', 1)[0] ?? ''
  if (name !== '' && !/\s/.test(name)) return line
  throw new TsrunError(
    'invalid-argument',
    `cannot read the ${what} "${path}": "${line}" has no valid name`,
  )
}
