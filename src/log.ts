/** Levelled logger in runc's two forms, which containerd, podman and CRI-O parse. */

export type LogLevel = 'debug' | 'info' | 'warning' | 'error'
export type LogFormat = 'text' | 'json'

const SEVERITY: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warning: 2, error: 3 }

export type LogFields = Readonly<Record<string, string | number | boolean>>

export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warning(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

export interface LoggerOptions {
  /** Takes one line with its newline; must append it in one write, others write to the same file. */
  readonly write: (line: string) => void
  readonly format: LogFormat
  /** Lines below are dropped. */
  readonly level: LogLevel
  readonly now?: () => Date
}

/** A logger that hands finished lines to `write`. */
export function createLogger(options: LoggerOptions): Logger {
  const minimum = SEVERITY[options.level]
  const format = options.format === 'json' ? jsonLine : textLine
  const now = options.now ?? (() => new Date())
  const log = (level: LogLevel, message: string, fields: LogFields = {}): void => {
    if (SEVERITY[level] >= minimum) options.write(format(level, message, now(), fields))
  }
  return {
    debug: (message, fields) => log('debug', message, fields),
    info: (message, fields) => log('info', message, fields),
    warning: (message, fields) => log('warning', message, fields),
    error: (message, fields) => log('error', message, fields),
  }
}

/** A logger for code that must stay silent. */
export const silentLogger: Logger = createLogger({
  write: () => {},
  format: 'text',
  level: 'error',
})

/** `{"level":"error","msg":"…","time":"…"}`: containerd shows users the msg of the last error line. */
function jsonLine(level: LogLevel, message: string, time: Date, fields: LogFields): string {
  return `${JSON.stringify({ ...fields, level, msg: message, time: rfc3339(time) })}\n`
}

/** `time="…" level=error msg="…"`, logfmt as logrus writes it. */
function textLine(level: LogLevel, message: string, time: Date, fields: LogFields): string {
  const extra = Object.entries(fields)
    .map(([key, value]) => ` ${key}=${quoteIfNeeded(String(value))}`)
    .join('')
  return `time="${rfc3339(time)}" level=${level} msg=${quoteIfNeeded(message)}${extra}\n`
}

/** Whole seconds, as logrus has by default. */
function rfc3339(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`
}

function quoteIfNeeded(text: string): string {
  return /^[A-Za-z0-9\-._/@^+]+$/.test(text) ? text : JSON.stringify(text)
}
