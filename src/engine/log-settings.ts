/** Where the output of a container goes: `--log-driver` and `--log-opt`, with the names of docker and podman. */
import { TsrunError } from '../errors.ts'
import { parseSize } from '../util/size.ts'

export const LOG_DRIVERS = ['k8s-file', 'json-file', 'none'] as const

export interface LogSettings {
  /** `json-file` is another name of `k8s-file`, as in podman: there is one form of log. */
  readonly driver: (typeof LOG_DRIVERS)[number]
  /** A file does not become longer than so many bytes; 0 for no limit. */
  readonly maxSize: number
  readonly maxFiles: number
}

export const DEFAULT_LOG: LogSettings = { driver: 'k8s-file', maxSize: 0, maxFiles: 1 }

const MAX_FILES = 1000

/** Parses the driver's name and `key=value` options. */
export function parseLogSettings(
  driver: string | undefined,
  options: readonly string[],
): LogSettings {
  const name = parseDriver(driver ?? DEFAULT_LOG.driver)
  let settings: LogSettings = { ...DEFAULT_LOG, driver: name }
  for (const text of options) settings = { ...settings, ...parseOption(name, text) }
  if (settings.maxFiles > 1 && settings.maxSize === 0) {
    throw new TsrunError(
      'invalid-argument',
      'cannot use --log-opt max-file: there is one file without max-size',
      { hint: 'add --log-opt max-size=10m' },
    )
  }
  return settings
}

function parseDriver(name: string): LogSettings['driver'] {
  const known = LOG_DRIVERS.find((driver) => driver === name)
  if (known !== undefined) return known
  throw new TsrunError(
    'not-implemented',
    `cannot use the log driver "${name}": tsrun has k8s-file, json-file (the same under docker's name) and none`,
    {
      hint: 'leave --log-driver out, and pass the output of tsrun logs -f on to where it is wanted',
    },
  )
}

function parseOption(driver: LogSettings['driver'], text: string): Partial<LogSettings> {
  const [key = '', ...rest] = text.split('=')
  const value = rest.join('=')
  if (driver === 'none') throw refused(text, 'the log driver none has no options')
  if (key === 'max-size') return { maxSize: parseMaxSize(text, value) }
  if (key === 'max-file') return { maxFiles: parseMaxFiles(text, value) }
  throw refused(text, `the options of ${driver} are max-size and max-file`)
}

function parseMaxSize(text: string, value: string): number {
  if (value === '-1') return 0
  const size = parseSize(value)
  if (size !== undefined && size > 0) return size
  throw refused(text, 'max-size is a size such as 10m, or -1 for no limit')
}

function parseMaxFiles(text: string, value: string): number {
  const count = /^\d{1,4}$/.test(value) ? Number(value) : 0
  if (count >= 1 && count <= MAX_FILES) return count
  throw refused(text, `max-file is a number from 1 to ${MAX_FILES}`)
}

function refused(text: string, why: string): TsrunError {
  return new TsrunError('invalid-argument', `cannot use --log-opt "${text}": ${why}`)
}
