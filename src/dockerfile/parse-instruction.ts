/** One instruction from its text, checked as far as the text alone tells. */
import { cited, dockerfileError, type Place, unsupportedError } from './dockerfile-error.ts'
import type { Command, From, Heredoc, Instruction, Pair } from './instruction.ts'
import { isSet, oneValue, takeFlags } from './instruction-flags.ts'
import { heredocMark } from './read-heredocs.ts'
import type { RawInstruction } from './split-instructions.ts'
import { jsonList, splitPlain, splitQuoted } from './split-words.ts'

type Parse = (raw: RawInstruction, escapeChar: string) => Instruction

const PARSERS: Readonly<Record<string, Parse>> = {
  RUN: parseRun,
  COPY: parseCopy,
  ADD: parseCopy,
  ENV: parseSettings,
  LABEL: parseSettings,
  ARG: parseSettings,
  EXPOSE: parseWords,
  VOLUME: parseWords,
  USER: parseText,
  WORKDIR: parseText,
  STOPSIGNAL: parseText,
  MAINTAINER: parseText,
  CMD: parseCommand,
  ENTRYPOINT: parseCommand,
  SHELL: parseShell,
  HEALTHCHECK: parseHealthcheck,
  ONBUILD: parseOnBuild,
}

/** What stands below FROM. */
export function parseInstruction(raw: RawInstruction, escapeChar: string): Instruction {
  const parse = Object.hasOwn(PARSERS, raw.keyword) ? PARSERS[raw.keyword] : undefined
  if (parse === undefined)
    throw dockerfileError(raw, `${cited(raw.keyword)} is no instruction`, 'see docs/build.md')
  if (raw.rest === '' && !(raw.keyword === 'CMD' || raw.keyword === 'ENTRYPOINT'))
    throw dockerfileError(raw, `${raw.keyword} needs arguments`)
  return parse(raw, escapeChar)
}

/** `[--platform=p] image [AS name]`. */
export function parseFrom(raw: RawInstruction): From {
  const flags = takeFlags(raw.rest, ['platform'], raw)
  const [image, as, stage, ...more] = splitPlain(flags.rest)
  const isNamed = as?.toLowerCase() === 'as' && stage !== undefined
  if (image === undefined || more.length > 0 || (as !== undefined && !isNamed))
    throw dockerfileError(raw, 'FROM takes an image, and AS with a name after it')
  if (stage !== undefined && !/^[a-z][a-z0-9_.-]*$/i.test(stage))
    throw dockerfileError(
      raw,
      `a stage cannot be called ${cited(stage)}`,
      'begin with a letter, go on with letters, digits, - _ .',
    )
  const platform = oneValue(flags, 'platform', raw)
  return { ...written(raw), kind: 'FROM', image, stage: stage?.toLowerCase(), platform }
}

function written({ line, keyword, rest }: RawInstruction) {
  return { line, text: `${keyword} ${rest}` }
}

function parseRun(raw: RawInstruction): Instruction {
  const flags = takeFlags(raw.rest, ['mount', 'network', 'security', 'device'], raw)
  if (flags.values.has('device'))
    throw unsupportedError(raw, 'RUN --device is not supported by tsrun build')
  const mounts = (flags.values.get('mount') ?? []).map((value) => {
    if (value !== undefined) return value
    throw dockerfileError(raw, 'the flag --mount needs a value: --mount=type=...')
  })
  return {
    ...written(raw),
    kind: 'RUN',
    command: commandOf(flags.rest, raw.heredocs, raw),
    mounts,
    network: oneValue(flags, 'network', raw),
    security: oneValue(flags, 'security', raw),
  }
}

function commandOf(text: string, heredocs: readonly Heredoc[], place: Place): Command {
  const words = jsonList(text)
  if (words !== undefined) {
    if (words.length === 0) throw dockerfileError(place, 'the list of words is empty')
    return { form: 'exec', words }
  }
  if (text === '') throw dockerfileError(place, 'there is no command')
  return { form: 'shell', script: text, heredocs }
}

const COPY_FLAGS = ['from', 'chown', 'chmod', 'link', 'parents', 'exclude']
const ADD_FLAGS = ['chown', 'chmod', 'link', 'exclude', 'checksum', 'keep-git-dir', 'unpack']

function parseCopy(raw: RawInstruction): Instruction {
  const kind = raw.keyword === 'ADD' ? 'ADD' : 'COPY'
  const flags = takeFlags(raw.rest, kind === 'ADD' ? ADD_FLAGS : COPY_FLAGS, raw)
  for (const name of ['keep-git-dir', 'unpack'])
    if (flags.values.has(name))
      throw unsupportedError(raw, `ADD --${name} is not supported by tsrun build`)
  const words = jsonList(flags.rest) ?? splitPlain(flags.rest)
  const destination = words.at(-1)
  const isMark = (word: string) => heredocMark(word) !== undefined && raw.heredocs.length > 0
  if (destination === undefined || words.length < 2 || isMark(destination))
    throw dockerfileError(raw, `${kind} needs at least one source and a destination`)
  return {
    ...written(raw),
    kind,
    sources: words.slice(0, -1).filter((word) => !isMark(word)),
    heredocs: raw.heredocs,
    destination,
    from: oneValue(flags, 'from', raw),
    chown: oneValue(flags, 'chown', raw),
    chmod: oneValue(flags, 'chmod', raw),
    link: isSet(flags, 'link', raw),
    parents: isSet(flags, 'parents', raw),
    excludes: (flags.values.get('exclude') ?? []).map((value) => value ?? ''),
    checksum: oneValue(flags, 'checksum', raw),
  }
}

function parseSettings(raw: RawInstruction, escapeChar: string): Instruction {
  const kind = raw.keyword === 'ENV' ? 'ENV' : raw.keyword === 'ARG' ? 'ARG' : 'LABEL'
  const words = splitQuoted(raw.rest, escapeChar)
  const [first = ''] = words
  // The old form: everything after the name is the value.
  if (kind !== 'ARG' && !first.includes('=')) {
    const value = raw.rest.slice(first.length).trim()
    if (value === '') throw dockerfileError(raw, `${kind} must have two arguments`)
    return { ...written(raw), kind, pairs: [{ name: first, value }] }
  }
  return { ...written(raw), kind, pairs: words.map((word) => pairOf(word, kind, raw)) }
}

function pairOf(word: string, kind: string, place: Place): Pair {
  const equals = word.indexOf('=')
  const name = equals === -1 ? word : word.slice(0, equals)
  if (name === '') throw dockerfileError(place, `${cited(word)} has no name`)
  if (equals === -1 && kind !== 'ARG')
    throw dockerfileError(
      place,
      `${cited(word)} must be of the form name=value`,
      'quote a value that has blanks: name="a value"',
    )
  if (kind === 'ARG' && !/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name))
    throw dockerfileError(place, `an ARG cannot be called ${cited(name)}`)
  return { name, value: equals === -1 ? undefined : word.slice(equals + 1) }
}

function parseWords(raw: RawInstruction): Instruction {
  const words = jsonList(raw.rest) ?? splitPlain(raw.rest)
  if (words.length === 0 || words.some((word) => word === ''))
    throw dockerfileError(raw, `${raw.keyword} has an empty argument`)
  return { ...written(raw), kind: raw.keyword === 'VOLUME' ? 'VOLUME' : 'EXPOSE', words }
}

function parseText(raw: RawInstruction): Instruction {
  const kind = raw.keyword as 'USER' | 'WORKDIR' | 'STOPSIGNAL' | 'MAINTAINER'
  return { ...written(raw), kind, value: raw.rest }
}

// Both may be empty: that takes away what the base says.
function parseCommand(raw: RawInstruction): Instruction {
  const kind = raw.keyword === 'CMD' ? 'CMD' : 'ENTRYPOINT'
  const words = raw.rest === '' ? [] : jsonList(raw.rest)
  const command: Command =
    words === undefined
      ? { form: 'shell', script: raw.rest, heredocs: [] }
      : { form: 'exec', words }
  return { ...written(raw), kind, command }
}

function parseShell(raw: RawInstruction): Instruction {
  const words = jsonList(raw.rest)
  if (words === undefined || words.length === 0)
    throw dockerfileError(raw, 'SHELL takes a list in JSON: SHELL ["/bin/sh", "-c"]')
  return { ...written(raw), kind: 'SHELL', words }
}

const HEALTH_FLAGS = ['interval', 'timeout', 'start-period', 'start-interval', 'retries']

function parseHealthcheck(raw: RawInstruction): Instruction {
  const flags = takeFlags(raw.rest, HEALTH_FLAGS, raw)
  const [, word = '', text = ''] = /^(\S+)\s*([\s\S]*)$/.exec(flags.rest) ?? []
  const options = new Map(
    [...flags.values.keys()].map((name) => [name, oneValue(flags, name, raw) ?? '']),
  )
  if (word.toUpperCase() === 'NONE' && text === '' && options.size === 0)
    return { ...written(raw), kind: 'HEALTHCHECK', command: undefined, options }
  if (word.toUpperCase() !== 'CMD')
    throw dockerfileError(raw, 'HEALTHCHECK takes NONE alone, or CMD with a command')
  return { ...written(raw), kind: 'HEALTHCHECK', command: commandOf(text, [], raw), options }
}

function parseOnBuild(raw: RawInstruction): Instruction {
  const keyword = (/^\S+/.exec(raw.rest)?.[0] ?? '').toUpperCase()
  if (['ONBUILD', 'FROM', 'MAINTAINER'].includes(keyword))
    throw dockerfileError(raw, `ONBUILD cannot hold ${keyword}`)
  if (!Object.hasOwn(PARSERS, keyword))
    throw dockerfileError(raw, `${cited(keyword)} is no instruction`)
  const below = raw.heredocText === '' ? '' : `\n${raw.heredocText}`
  return { ...written(raw), kind: 'ONBUILD', trigger: `${raw.rest}${below}` }
}
