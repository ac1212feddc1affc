/** `commit --change` and `import --change`: instructions of a Dockerfile that change what an image says of its containers. */
import { TsrunError } from '../errors.ts'
import type { ImageProcess } from '../oci/image.ts'

type Apply = (process: ImageProcess, text: string) => ImageProcess

const INSTRUCTIONS: Readonly<Record<string, Apply>> = {
  CMD: (process, text) => ({ ...process, Cmd: commandOf(text) }),
  ENTRYPOINT: (process, text) => ({ ...process, Entrypoint: commandOf(text) }),
  ENV: (process, text) => ({ ...process, Env: withVariables(process.Env ?? [], pairsOf(text)) }),
  EXPOSE: (process, text) => ({
    ...process,
    ExposedPorts: { ...process.ExposedPorts, ...emptyObjects(wordsOf(text).map(portOf)) },
  }),
  LABEL: (process, text) => ({
    ...process,
    Labels: { ...process.Labels, ...Object.fromEntries(pairsOf(text)) },
  }),
  ONBUILD: (process, text) => ({ ...process, OnBuild: [...(process.OnBuild ?? []), text] }),
  STOPSIGNAL: (process, text) => ({ ...process, StopSignal: text }),
  USER: (process, text) => ({ ...process, User: text }),
  VOLUME: (process, text) => ({
    ...process,
    Volumes: { ...process.Volumes, ...emptyObjects(jsonList(text) ?? wordsOf(text)) },
  }),
  WORKDIR: (process, text) => ({ ...process, WorkingDir: joinPath(process.WorkingDir, text) }),
}

/** `process` after the instruction in `change`, such as `CMD ["sh"]` or `ENV A=b`. */
export function applyChange(process: ImageProcess, change: string): ImageProcess {
  const match = /^\s*([A-Za-z]+)\s+([\s\S]*\S)\s*$/.exec(change)
  const name = (match?.[1] ?? '').toUpperCase()
  const apply = Object.hasOwn(INSTRUCTIONS, name) ? INSTRUCTIONS[name] : undefined
  if (apply !== undefined) return apply(process, match?.[2] ?? '')
  throw new TsrunError(
    'invalid-argument',
    `cannot use --change "${change}": it must be one of ${Object.keys(INSTRUCTIONS).join(', ')} with its arguments`,
  )
}

// As in a Dockerfile: a list in JSON is run as it is, anything else by the shell.
function commandOf(text: string): readonly string[] {
  return jsonList(text) ?? ['/bin/sh', '-c', text]
}

function jsonList(text: string): readonly string[] | undefined {
  if (!text.startsWith('[')) return undefined
  try {
    const value: unknown = JSON.parse(text)
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  return undefined
}

/** Words as a shell splits them: quotes hold together, a backslash takes what follows. */
function wordsOf(text: string): string[] {
  const words = text.match(/(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+/g) ?? []
  return words.map((word) =>
    word.replace(/"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)/g, (_all, double, single, escaped) =>
      double === undefined ? (single ?? escaped ?? '') : double.replace(/\\(.)/g, '$1'),
    ),
  )
}

/** `A=b "C=d e"`, or the old form `A b c`, whose value is the rest. */
function pairsOf(text: string): readonly (readonly [string, string])[] {
  const words = wordsOf(text)
  const [name = '', ...rest] = words
  if (!name.includes('=') && rest.length > 0)
    return [[name, text.slice(text.indexOf(name) + name.length).trim()]]
  return words.map((word) => {
    const equals = word.indexOf('=')
    if (equals > 0) return [word.slice(0, equals), word.slice(equals + 1)] as const
    throw new TsrunError(
      'invalid-argument',
      `cannot use --change: "${word}" must have the form name=value`,
    )
  })
}

function withVariables(
  own: readonly string[],
  pairs: readonly (readonly [string, string])[],
): readonly string[] {
  const names = new Set(pairs.map(([name]) => name))
  const kept = own.filter((text) => !names.has(text.split('=', 1)[0] ?? ''))
  return [...kept, ...pairs.map(([name, value]) => `${name}=${value}`)]
}

function portOf(text: string): string {
  if (/^\d{1,5}(-\d{1,5})?(\/(tcp|udp|sctp))?$/.test(text))
    return text.includes('/') ? text : `${text}/tcp`
  throw new TsrunError('invalid-argument', `cannot use --change: "${text}" is no port`)
}

function joinPath(base: string | undefined, path: string): string {
  return path.startsWith('/') ? path : `${(base ?? '').replace(/\/+$/, '')}/${path}`
}

function emptyObjects(names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, {}]))
}
