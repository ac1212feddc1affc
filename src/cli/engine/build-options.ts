/** Options of `build`: docker's words, and what they ask of the engine. */
import { resolve } from 'node:path'
import type { BuildRequest, SecretSource } from '../../engine/build/build-request.ts'
import { defaultNetwork } from '../../engine/networks/default-network.ts'
import { TsrunError } from '../../errors.ts'
import type { CommandOptions, OptionSpec } from './command.ts'

/** Options of docker and podman that cannot be used, the values that say what is so anyway, and why. */
const REFUSED: Readonly<
  Record<
    string,
    { readonly type: OptionSpec['type']; readonly fine: readonly string[]; readonly why: string }
  >
> = {
  'build-context': {
    type: 'list',
    fine: [],
    why: 'use COPY --from=IMAGE or a folder in the context',
  },
  'cache-from': { type: 'list', fine: [], why: 'the cache is that of the store of this machine' },
  'cache-to': { type: 'list', fine: [], why: 'the cache is that of the store of this machine' },
  format: { type: 'string', fine: ['oci'], why: 'images are written as OCI has them' },
  output: { type: 'list', fine: [], why: 'the image goes to the store; use tsrun save or export' },
  provenance: { type: 'string', fine: ['false'], why: 'no attestations are made' },
  sbom: { type: 'string', fine: ['false'], why: 'no attestations are made' },
  squash: { type: 'flag', fine: ['false'], why: 'use a stage with COPY --from=STAGE / /' },
  ssh: { type: 'list', fine: [], why: 'agents are not forwarded; use --secret' },
}

export const BUILD_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  'build-arg': { type: 'list', describe: 'value of an ARG', value: 'name[=value]' },
  file: {
    type: 'string',
    alias: 'f',
    describe: 'the Dockerfile, - for standard input (default FOLDER/Dockerfile or Containerfile)',
    value: 'file',
  },
  iidfile: { type: 'string', describe: "write the image's id to this file", value: 'file' },
  label: { type: 'list', describe: 'a label of the image', value: 'key=value' },
  network: {
    type: 'string',
    alias: 'net',
    describe: 'network of RUN: bridge, host, none or the name of one',
    value: 'network',
  },
  'no-cache': { type: 'flag', describe: 'do every step anew' },
  platform: {
    type: 'string',
    describe: 'platform of the image: this machine alone',
    value: 'text',
  },
  progress: { type: 'string', describe: 'how to show it', value: 'auto|plain|quiet' },
  pull: { type: 'flag', describe: 'fetch base images also when they are here' },
  quiet: { type: 'flag', alias: 'q', describe: 'print only the id of the image' },
  secret: {
    type: 'list',
    describe: 'a secret for RUN --mount=type=secret',
    value: 'id=NAME,src=FILE|env=VARIABLE',
  },
  tag: { type: 'list', alias: 't', describe: 'a name for the image', value: 'name[:tag]' },
  target: { type: 'string', describe: 'the stage to build', value: 'stage' },
  ...Object.fromEntries(
    Object.entries(REFUSED).map(([name, { type, why }]) => [
      name,
      { type, hidden: true, describe: `refused: ${why}` } satisfies OptionSpec,
    ]),
  ),
}

export interface BuildOptions {
  readonly progress: 'plain' | 'quiet'
  readonly request: Omit<BuildRequest, 'dockerfile' | 'context' | 'signal' | 'onProgress'>
}

/** What the options ask for; throws naming the one that cannot be used. */
export function buildOptionsOf(options: CommandOptions, env: NodeJS.ProcessEnv): BuildOptions {
  refuse(options)
  const args = new Map(options.list('build-arg').flatMap((text) => argumentOf(text, env)))
  const progress = options.string('progress') ?? 'auto'
  if (!['auto', 'plain', 'quiet'].includes(progress))
    throw invalid('progress', progress, 'it must be auto, plain or quiet')
  return {
    progress: options.flag('quiet') || progress === 'quiet' ? 'quiet' : 'plain',
    request: {
      args,
      tags: options.list('tag'),
      labels: new Map(options.list('label').map((text) => keyValue('label', text))),
      target: options.string('target'),
      platform: options.string('platform'),
      noCache: options.flag('no-cache'),
      pull: options.flag('pull') ? 'always' : 'missing',
      network: options.string('network') ?? defaultNetwork(false, env),
      secrets: new Map(options.list('secret').map((text) => secretOf(text))),
      epoch: epochOf(args.get('SOURCE_DATE_EPOCH') ?? env.SOURCE_DATE_EPOCH),
    },
  }
}

function refuse(options: CommandOptions): void {
  for (const [name, { type, fine, why }] of Object.entries(REFUSED)) {
    if (!options.has(name)) continue
    const given =
      type === 'list' ? options.list(name) : [options.string(name) ?? String(options.flag(name))]
    const value = given.find((each) => !fine.includes(each))
    if (value !== undefined)
      throw new TsrunError('not-implemented', `cannot use --${name}: it is not supported`, {
        hint: why,
      })
  }
}

// As docker: a name alone takes the value of the caller's variable, and nothing when there is none.
function argumentOf(text: string, env: NodeJS.ProcessEnv): readonly (readonly [string, string])[] {
  if (text.includes('=')) return [keyValue('build-arg', text)]
  const value = env[text]
  return value === undefined ? [] : [[text, value]]
}

function keyValue(option: string, text: string): readonly [string, string] {
  const equals = text.indexOf('=')
  const key = equals === -1 ? text : text.slice(0, equals)
  if (key === '') throw invalid(option, text, 'it has no name')
  return [key, equals === -1 ? '' : text.slice(equals + 1)]
}

function secretOf(text: string): readonly [string, SecretSource] {
  const fields = new Map(text.split(',').map((part) => keyValue('secret', part)))
  const id = fields.get('id') ?? ''
  if (id === '') throw invalid('secret', text, 'it has no id')
  const type = fields.get('type') ?? (fields.has('env') ? 'env' : 'file')
  for (const name of fields.keys())
    if (!['id', 'src', 'source', 'env', 'type'].includes(name))
      throw invalid('secret', text, `there is no field "${name}"`)
  if (type === 'env')
    return [id, { kind: 'env', name: fields.get('env') ?? fields.get('src') ?? id }]
  if (type !== 'file') throw invalid('secret', text, 'its type must be file or env')
  const path = fields.get('src') ?? fields.get('source') ?? ''
  if (path === '') throw invalid('secret', text, 'it says neither src nor env')
  return [id, { kind: 'file', path: resolve(path) }]
}

function epochOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined
  // The last second that Date knows is 8.64e12.
  if (/^\d{1,12}$/.test(text)) return Number(text)
  throw new TsrunError(
    'invalid-argument',
    `cannot use SOURCE_DATE_EPOCH "${text}": it must be seconds since 1970`,
  )
}

function invalid(option: string, text: string, why: string): TsrunError {
  return new TsrunError('invalid-argument', `cannot use --${option} "${text}": ${why}`)
}
