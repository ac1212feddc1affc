/** The one error class users meet, and the closed list of kinds it comes in. */

/** What went wrong, in containerd's errdefs vocabulary. Exit codes, HTTP and ttrpc statuses derive from it. */
export type ErrorKind =
  | 'not-found'
  | 'already-exists'
  | 'invalid-argument'
  | 'failed-precondition'
  | 'permission-denied'
  | 'unavailable'
  | 'not-implemented'
  | 'internal'

export interface TsrunErrorOptions {
  /** The lower-level failure, kept in the cause chain. */
  readonly cause?: unknown
  /** errno name such as `EPERM`, when a system call said no. */
  readonly errno?: string
  /** What the user can do about it: a short clause, without a final period. */
  readonly hint?: string
  /** Exit status for the command line when it is not the kind's own (126, 127, a command's status). */
  readonly exitCode?: number
}

/**
 * A failure a user can meet. The message is one sentence: `cannot <action> "<object>": <detail>`,
 * lower case, no final period. Each layer adds only what it knows and chains the rest as `cause`.
 */
export class TsrunError extends Error {
  readonly kind: ErrorKind
  readonly errno: string | undefined
  readonly hint: string | undefined
  readonly exitCode: number | undefined

  constructor(kind: ErrorKind, message: string, options: TsrunErrorOptions = {}) {
    super(printable(message), options.cause === undefined ? {} : { cause: options.cause })
    this.name = 'TsrunError'
    this.kind = kind
    this.errno = options.errno
    this.hint = options.hint === undefined ? undefined : printable(options.hint)
    this.exitCode = options.exitCode
  }
}

/** A system call made from Node that failed. */
export class SyscallError extends Error {
  readonly syscall: string
  /** Positive errno number. */
  readonly errno: number
  /** errno name such as `EPERM`. */
  readonly code: string
  readonly path: string | undefined

  constructor(syscall: string, errno: number, code: string, path?: string) {
    super(path === undefined ? `${syscall}: ${code}` : `${syscall} ${path}: ${code}`)
    this.name = 'SyscallError'
    this.syscall = syscall
    this.errno = errno
    this.code = code
    this.path = path
  }
}

/** The errno name of a failed Node or tsrun call, or undefined when `error` carries none. */
export function errnoCodeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const code: unknown = Reflect.get(error, 'code') ?? Reflect.get(error, 'errno')
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : undefined
}

/**
 * `text` on one line, control characters as escapes: names from images and configs must not forge lines
 * of a log or steer a terminal.
 */
export function printable(text: string): string {
  return text.replace(
    CONTROL_CHARACTERS,
    (character) =>
      SHORT_ESCAPES[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

// The C0 and C1 control characters, DEL, the two separators that some take for ends of lines, and what
// makes text read in another order than it is written.
const CONTROL_CHARACTERS = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu
const SHORT_ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** One sentence for `error` with its causes joined by `: ` (no part twice) and the hint at the end. */
export function describeError(error: unknown): string {
  const parts: string[] = []
  let hint: string | undefined
  for (
    let e: unknown = error;
    e !== undefined && e !== null;
    e = e instanceof Error ? e.cause : undefined
  ) {
    const text = e instanceof Error ? e.message : String(e)
    if (text !== '' && !parts.some((part) => part.includes(text))) parts.push(text)
    if (e instanceof TsrunError && e.hint !== undefined) hint = e.hint
  }
  const sentence = printable(parts.join(': '))
  return hint === undefined ? sentence : `${sentence}; hint: ${hint}`
}
