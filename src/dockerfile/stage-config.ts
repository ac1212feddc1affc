/** What a stage's instructions make of its configuration: everything but files and commands. */
import { posix } from 'node:path'
import type { HealthCheck, ImageProcess } from '../oci/image.ts'
import { parseDuration } from '../util/duration.ts'
import { cited, dockerfileError, type Place } from './dockerfile-error.ts'
import { expandWord } from './expand-word.ts'
import type {
  Command,
  DefaultCommand,
  Healthcheck,
  Instruction,
  Settings,
  Text,
  Words,
} from './instruction.ts'

/** A stage between two of its instructions. */
export interface StageConfig {
  readonly process: ImageProcess
  readonly author: string | undefined
  /** The ARGs that were declared so far, with what they hold. */
  readonly args: ReadonlyMap<string, string>
  /** The stage itself has a CMD: an ENTRYPOINT after it leaves it. */
  readonly hasCommand: boolean
}

export interface StageContext {
  readonly escapeChar: string
  readonly file: string
  /** What `--build-arg` says of an ARG; undefined for its default. */
  readonly argument: (name: string) => string | undefined
  /** What an ARG that has neither is: that of an ARG before FROM, or of the machine. */
  readonly inherited: (name: string) => string | undefined
}

const DEFAULT_SHELL = ['/bin/sh', '-c']

/** The value of a variable: ENV goes before ARG. */
export function lookUp({ process, args }: StageConfig, name: string): string | undefined {
  const own = (process.Env ?? []).find((text) => text.startsWith(`${name}=`))
  return own === undefined ? args.get(name) : own.slice(name.length + 1)
}

/** A word of the instruction in `line` with its variables replaced. */
export function expandIn(
  config: StageConfig,
  { escapeChar, file }: Pick<StageContext, 'escapeChar' | 'file'>,
  line: number,
  word: string,
): string {
  const place = { file, line }
  return expandWord(word, (name) => lookUp(config, name), { escapeChar, place })
}

/** What runs for a command: the words as they are, or the stage's shell with the text. */
export function wordsOf(command: Command, process: ImageProcess): readonly string[] {
  if (command.form === 'exec') return command.words
  return [...(process.Shell ?? DEFAULT_SHELL), command.script]
}

/** `config` after the instruction; one that makes files (RUN, COPY, ADD) changes nothing here. */
export function applyInstruction(
  config: StageConfig,
  instruction: Instruction,
  context: StageContext,
): StageConfig {
  const { process } = config
  const expand = (word: string) => expandIn(config, context, instruction.line, word)
  const place = { file: context.file, line: instruction.line }
  const withProcess = (changed: ImageProcess): StageConfig => ({
    ...config,
    process: { ...process, ...changed },
  })
  switch (instruction.kind) {
    case 'RUN':
    case 'COPY':
    case 'ADD':
      return config
    case 'ENV':
      return withProcess({ Env: withVariables(process.Env ?? [], pairsOf(instruction, expand)) })
    case 'LABEL':
      return withProcess({
        Labels: { ...process.Labels, ...Object.fromEntries(pairsOf(instruction, expand)) },
      })
    case 'ARG':
      return declareArgs(config, instruction, context)
    case 'EXPOSE':
      return withProcess({
        ExposedPorts: {
          ...process.ExposedPorts,
          ...emptyObjects(expandAll(instruction, expand).flatMap((word) => portsOf(word, place))),
        },
      })
    case 'VOLUME':
      return withProcess({
        Volumes: { ...process.Volumes, ...emptyObjects(expandAll(instruction, expand)) },
      })
    case 'CMD':
      return { ...withProcess({ Cmd: defaultCommand(instruction, process) }), hasCommand: true }
    case 'ENTRYPOINT': {
      const Entrypoint = defaultCommand(instruction, process)
      if (config.hasCommand) return withProcess({ Entrypoint })
      const { Cmd: _ofTheBase, ...rest } = process
      return { ...config, process: { ...rest, Entrypoint } }
    }
    case 'SHELL':
      return withProcess({ Shell: instruction.words })
    case 'HEALTHCHECK':
      return withProcess({ Healthcheck: healthOf(instruction, place) })
    case 'ONBUILD':
      return withProcess({ OnBuild: [...(process.OnBuild ?? []), instruction.trigger] })
    case 'MAINTAINER':
      return { ...config, author: instruction.value }
    case 'USER':
    case 'WORKDIR':
    case 'STOPSIGNAL':
      return withProcess(textOf(instruction, expand(instruction.value), process, place))
  }
}

function textOf(
  { kind }: Text,
  value: string,
  process: ImageProcess,
  place: Place,
): Partial<ImageProcess> {
  if (value === '') throw dockerfileError(place, `${kind} is empty with its variables replaced`)
  if (kind === 'USER') return { User: value }
  if (kind === 'WORKDIR') return { WorkingDir: posix.resolve('/', process.WorkingDir ?? '', value) }
  if (/^(SIG)?[A-Z]+[0-9+-]*$|^[0-9]{1,2}$/.test(value)) return { StopSignal: value }
  throw dockerfileError(place, `${cited(value)} is no signal`)
}

function declareArgs(
  config: StageConfig,
  { pairs, line }: Settings,
  context: StageContext,
): StageConfig {
  const args = new Map(config.args)
  for (const { name, value } of pairs) {
    const given = context.argument(name)
    // An ARG before FROM is only for an ARG without a value of its own.
    const fallback =
      value === undefined ? undefined : expandIn({ ...config, args }, context, line, value)
    const known = given ?? fallback ?? context.inherited(name)
    if (known !== undefined) args.set(name, known)
  }
  return { ...config, args }
}

/** `NAME=value` texts with the pairs in them: in the place of those that are there, or after all. */
export function withVariables(
  env: readonly string[],
  pairs: readonly (readonly [string, string])[],
): readonly string[] {
  const result = [...env]
  for (const [name, value] of pairs) {
    const at = result.findIndex((text) => text.startsWith(`${name}=`))
    result[at === -1 ? result.length : at] = `${name}=${value}`
  }
  return result
}

function pairsOf({ pairs }: Settings, expand: (word: string) => string) {
  return pairs.map(({ name, value = '' }) => [expand(name), expand(value)] as const)
}

function expandAll({ words }: Words, expand: (word: string) => string): readonly string[] {
  return words.map(expand).filter((word) => word !== '')
}

function emptyObjects(names: readonly string[]): Readonly<Record<string, object>> {
  return Object.fromEntries(names.map((name) => [name, {}]))
}

function portsOf(word: string, place: Place): readonly string[] {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(word)
  const first = Number(match?.[1])
  const last = Number(match?.[2] ?? match?.[1])
  if (match === null || first < 1 || last > 65_535 || first > last)
    throw dockerfileError(place, `${cited(word)} is no port`, 'write 80, 80/udp or 8000-8010')
  const protocol = (match[3] ?? 'tcp').toLowerCase()
  return Array.from({ length: last - first + 1 }, (_, i) => `${first + i}/${protocol}`)
}

function defaultCommand({ command }: DefaultCommand, process: ImageProcess): readonly string[] {
  return wordsOf(command, process)
}

function healthOf({ command, options }: Healthcheck, place: Place): HealthCheck {
  if (command === undefined) return { Test: ['NONE'] }
  const duration = (name: string): number | undefined => {
    const text = options.get(name)
    const milliseconds = text === undefined ? undefined : parseDuration(text)
    if (text !== undefined && (milliseconds === undefined || milliseconds < 0))
      throw dockerfileError(place, `${cited(text)} is no duration`, 'write 30s or 1m30s')
    return milliseconds === undefined ? undefined : milliseconds * 1e6
  }
  const retries = options.get('retries')
  if (retries !== undefined && !/^\d{1,6}$/.test(retries))
    throw dockerfileError(place, `--retries takes a number, not ${cited(retries)}`)
  const fields = {
    Interval: duration('interval'),
    Timeout: duration('timeout'),
    StartPeriod: duration('start-period'),
    StartInterval: duration('start-interval'),
    Retries: retries === undefined ? undefined : Number(retries),
  }
  return {
    Test: command.form === 'exec' ? ['CMD', ...command.words] : ['CMD-SHELL', command.script],
    ...Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)),
  }
}
