/** Options of `run` and `create` about how long a container lives, how it is watched and what becomes of its output. */
import { HEALTH_ACTIONS, type HealthOptions } from '../../../engine/health-config.ts'
import { parseLogSettings } from '../../../engine/log-settings.ts'
import { parseRestartPolicy } from '../../../engine/restart-policy.ts'
import type { RunRequest } from '../../../engine/run-request.ts'
import { TsrunError } from '../../../errors.ts'
import { parseDuration } from '../../../util/duration.ts'
import type { CommandOptions, OptionSpec } from '../command.ts'

export const LIFE_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  'die-with-parent': {
    type: 'flag',
    describe: 'kill the container when the process that started tsrun ends',
  },
  'health-cmd': { type: 'string', describe: 'command that checks its health', value: 'command' },
  'health-interval': { type: 'string', describe: 'time between checks', value: '30s' },
  'health-on-failure': {
    type: 'string',
    describe: 'what becomes of an unhealthy container',
    value: 'none|kill|restart|stop',
  },
  'health-retries': {
    type: 'string',
    describe: 'so many failures in a row make it unhealthy',
    value: 'number',
  },
  'health-start-interval': {
    type: 'string',
    describe: 'time between checks in the start period',
    value: '5s',
  },
  'health-start-period': {
    type: 'string',
    describe: 'time to start in, when failures do not count',
    value: '0s',
  },
  'health-timeout': { type: 'string', describe: 'time that one check may take', value: '30s' },
  'log-driver': {
    type: 'string',
    describe: 'what becomes of its output',
    value: 'k8s-file|json-file|none',
  },
  'log-opt': { type: 'list', describe: 'max-size=10m, max-file=3', value: 'key=value' },
  'no-healthcheck': { type: 'flag', describe: "no health check, not the image's either" },
  restart: {
    type: 'string',
    describe: 'start it anew when it has ended',
    value: 'no|on-failure[:number]|always|unless-stopped',
  },
  timeout: { type: 'string', describe: 'kill the container after so long', value: 'seconds' },
}

/** The monitor counts milliseconds in 32 bits. */
const LONGEST_MS = 0xfffffffe

export function lifeRequest(options: CommandOptions): Partial<RunRequest> {
  const restart = options.string('restart')
  const policy = restart === undefined ? undefined : parseRestartPolicy(restart)
  const health = healthOptions(options)
  const restarts = policy !== undefined && policy.name !== 'no'
  if (restarts && options.flag('rm')) throw conflict('--rm', '--restart')
  if (restarts && options.flag('die-with-parent')) throw conflict('--die-with-parent', '--restart')
  if (restarts && health?.onFailure === 'restart')
    throw conflict('--health-on-failure restart', '--restart')
  const logOptions = options.list('log-opt')
  const driver = options.string('log-driver')
  return {
    ...(policy === undefined ? {} : { restart: policy }),
    ...(driver === undefined && logOptions.length === 0
      ? {}
      : { log: parseLogSettings(driver, logOptions) }),
    ...(health === undefined ? {} : { health }),
    ...timeoutOf(options),
    ...(options.flag('die-with-parent') ? { dieWithParent: true } : {}),
  }
}

function conflict(one: string, other: string): TsrunError {
  return new TsrunError('invalid-argument', `cannot use ${one} together with ${other}`)
}

function timeoutOf(options: CommandOptions): Partial<RunRequest> {
  const seconds = options.integer('timeout')
  if (seconds === undefined || seconds === 0) return {}
  if (seconds * 1000 <= LONGEST_MS) return { timeout: seconds }
  throw new TsrunError(
    'invalid-argument',
    `cannot use --timeout "${seconds}": the longest is ${Math.floor(LONGEST_MS / 1000)} seconds`,
  )
}

function healthOptions(options: CommandOptions): HealthOptions | undefined {
  const given = Object.keys(LIFE_OPTIONS).filter(
    (name) => name.startsWith('health-') && options.has(name),
  )
  if (options.flag('no-healthcheck')) {
    if (given[0] !== undefined) throw conflict('--no-healthcheck', `--${given[0]}`)
    return { test: ['NONE'] }
  }
  if (given.length === 0) return undefined
  const command = options.string('health-cmd')
  const retries = options.integer('health-retries', 1)
  return {
    ...(command === undefined || command === '' ? {} : { test: testOf(command) }),
    ...(options.string('health-interval') === 'disable'
      ? { intervalMs: 0 }
      : duration(options, 'health-interval', 'intervalMs', 1)),
    ...duration(options, 'health-timeout', 'timeoutMs', 1),
    ...duration(options, 'health-start-period', 'startPeriodMs', 0),
    ...duration(options, 'health-start-interval', 'startIntervalMs', 1),
    ...(retries === undefined ? {} : { retries }),
    ...actionOf(options.string('health-on-failure')),
  }
}

// As podman reads it: `none`, the words of a program as JSON, or a command for the shell.
function testOf(command: string): readonly string[] {
  if (command === 'none') return ['NONE']
  if (!command.startsWith('[')) return ['CMD-SHELL', command]
  let words: unknown
  try {
    words = JSON.parse(command)
  } catch {
    // `[ -f /ready ]` is a command of the shell.
    return ['CMD-SHELL', command]
  }
  if (!Array.isArray(words) || !words.every((word) => typeof word === 'string'))
    return ['CMD-SHELL', command]
  return ['NONE', 'CMD', 'CMD-SHELL'].includes(words[0] ?? '') ? words : ['CMD', ...words]
}

function duration<Field extends keyof HealthOptions>(
  options: CommandOptions,
  name: string,
  field: Field,
  min: number,
): Partial<Record<Field, number>> {
  const text = options.string(name)
  if (text === undefined) return {}
  const milliseconds = parseDuration(text)
  if (milliseconds !== undefined && milliseconds >= min && milliseconds <= LONGEST_MS) {
    const value: Partial<Record<Field, number>> = {}
    value[field] = Math.round(milliseconds)
    return value
  }
  throw new TsrunError(
    'invalid-argument',
    `cannot use --${name} "${text}": it must be a duration of at least ${min}ms such as 30s`,
  )
}

function actionOf(text: string | undefined): Pick<HealthOptions, 'onFailure'> {
  if (text === undefined) return {}
  const action = HEALTH_ACTIONS.find((known) => known === text)
  if (action !== undefined) return { onFailure: action }
  throw new TsrunError(
    'invalid-argument',
    `cannot use --health-on-failure "${text}": it is one of ${HEALTH_ACTIONS.join(', ')}`,
  )
}
