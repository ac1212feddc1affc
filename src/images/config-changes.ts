/** Changes to an image's config in the words of a Dockerfile: what `import --change` and `commit --change` take. */
import { TsrunError } from '../errors.ts'
import type { ImageProcess } from '../oci/image.ts'

/** The config with the instructions applied, in order; throws `invalid-argument` naming the one that is wrong. */
export function applyChanges(config: ImageProcess, changes: readonly string[]): ImageProcess {
  return changes.reduce(applyChange, config)
}

type Change = (
  config: ImageProcess,
  value: string,
  refuse: (problem: string) => Error,
) => ImageProcess

const CHANGES: Readonly<Record<string, Change>> = {
  CMD: (config, value, refuse) => ({ ...config, Cmd: command(value, refuse) }),
  ENTRYPOINT: (config, value, refuse) => ({ ...config, Entrypoint: command(value, refuse) }),
  ENV: (config, value, refuse) => {
    const added = pairs(value, refuse)
    const kept = (config.Env ?? []).filter((entry) => !added.has(entry.split('=', 1)[0] ?? ''))
    return { ...config, Env: [...kept, ...[...added].map(([name, text]) => `${name}=${text}`)] }
  },
  EXPOSE: (config, value, refuse) => {
    const ports = value.split(/\s+/).map((port) => {
      if (!/^\d{1,5}(-\d{1,5})?(\/(tcp|udp|sctp))?$/.test(port))
        throw refuse(`${JSON.stringify(port)} is no port`)
      return port.includes('/') ? port : `${port}/tcp`
    })
    return { ...config, ExposedPorts: { ...config.ExposedPorts, ...keys(ports) } }
  },
  LABEL: (config, value, refuse) => ({
    ...config,
    Labels: Object.assign(
      Object.create(null),
      config.Labels,
      Object.fromEntries(pairs(value, refuse)),
    ),
  }),
  ONBUILD: (config, value) => ({ ...config, OnBuild: [...(config.OnBuild ?? []), value] }),
  STOPSIGNAL: (config, value) => ({ ...config, StopSignal: value }),
  USER: (config, value) => ({ ...config, User: value }),
  VOLUME: (config, value, refuse) => {
    const volumes = value.startsWith('[') ? list(value, refuse) : value.split(/\s+/)
    return { ...config, Volumes: { ...config.Volumes, ...keys(volumes) } }
  },
  WORKDIR: (config, value) => ({
    ...config,
    WorkingDir: value.startsWith('/')
      ? value
      : `${(config.WorkingDir ?? '').replace(/\/$/, '')}/${value}`,
  }),
}

function applyChange(config: ImageProcess, text: string): ImageProcess {
  const [, word = '', value = ''] = /^\s*([A-Za-z]+)(?:\s+|=)([\s\S]*?)\s*$/.exec(text) ?? []
  const refuse = (problem: string): TsrunError =>
    new TsrunError('invalid-argument', `cannot use the change ${JSON.stringify(text)}: ${problem}`)
  const name = word.toUpperCase()
  const change = Object.hasOwn(CHANGES, name) ? CHANGES[name] : undefined
  if (change === undefined)
    throw refuse(`it must begin with one of ${Object.keys(CHANGES).join(', ')}`)
  if (value === '') throw refuse('it says nothing')
  return change(config, value, refuse)
}

function command(value: string, refuse: (problem: string) => Error): readonly string[] {
  return value.startsWith('[') ? list(value, refuse) : ['/bin/sh', '-c', value]
}

function list(value: string, refuse: (problem: string) => Error): readonly string[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(value)
  } catch {
    throw refuse('what is in brackets is not JSON')
  }
  if (Array.isArray(parsed) && parsed.every((item) => typeof item === 'string')) return parsed
  throw refuse('what is in brackets is not a list of strings')
}

/** `a=b c="d e"`, or the old `a b c` for one name. */
function pairs(value: string, refuse: (problem: string) => Error): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  const word = /\s*([^\s=]+)=((?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s"'\\])*)/gy
  let end = 0
  for (let match = word.exec(value); match !== null; match = word.exec(value)) {
    found.set(match[1] ?? '', unquote(match[2] ?? ''))
    end = word.lastIndex
  }
  if (found.size > 0 && value.slice(end).trim() === '') return found
  const old = /^([^\s=]+)\s+([\s\S]+)$/.exec(value)
  if (found.size > 0 || old === null) throw refuse('it must be name=value')
  return new Map([[old[1] ?? '', old[2] ?? '']])
}

function unquote(text: string): string {
  return text.replace(/"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)/g, (_, double, single, escaped) =>
    double !== undefined ? String(double).replace(/\\(.)/g, '$1') : String(single ?? escaped),
  )
}

function keys(names: readonly string[]): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, {}]))
}
