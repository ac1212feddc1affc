/** The environment of a container's first process: defaults, then the image's, then the user's. */
import { refuseOption } from './invalid-option.ts'

/** What docker gives when the image sets no PATH. */
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export interface EnvironmentQuestion {
  /** Variables of the caller, below all others. */
  readonly host?: readonly string[]
  readonly image: readonly string[]
  /** `NAME=value` where `${OTHER}` stands for what is there so far. */
  readonly merge?: readonly string[]
  /** Names that are taken away before the user's come, or all. */
  readonly unset?: readonly string[] | 'all'
  readonly user: readonly string[]
  readonly hostname: string
  readonly home: string
  readonly terminal: boolean
}

/** `NAME=value` strings, each name once; later ones win, at the place where the name first stood. */
export function buildEnvironment(question: EnvironmentQuestion): readonly string[] {
  const variables = new Map<string, string>()
  mergeInto(variables, question.host ?? [], 'env-host')
  variables.set('PATH', DEFAULT_PATH)
  variables.set('HOSTNAME', question.hostname)
  if (question.terminal) variables.set('TERM', 'xterm')
  mergeInto(variables, question.image, 'variable of the image')
  mergeInto(
    variables,
    (question.merge ?? []).map((text) => expand(text, variables)),
    'env-merge',
  )
  const isUnset = unsetIn(variables, question.unset ?? [])
  mergeInto(variables, question.user, 'env')
  // Last, as runc does: only when neither the image nor the user has set it.
  if (!variables.has('HOME') && !isUnset('HOME')) variables.set('HOME', question.home)
  return [...variables].map(([name, value]) => `${name}=${value}`)
}

function expand(text: string, variables: ReadonlyMap<string, string>): string {
  return text.replace(
    /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g,
    (_, name: string) => variables.get(name) ?? '',
  )
}

function unsetIn(
  variables: Map<string, string>,
  unset: readonly string[] | 'all',
): (name: string) => boolean {
  if (unset === 'all') variables.clear()
  else for (const name of unset) variables.delete(name)
  return (name) => unset === 'all' || unset.includes(name)
}

/** Adds `NAME=value`; a bare `NAME` removes the variable, as `docker run -e NAME` with NAME unset does. */
function mergeInto(variables: Map<string, string>, texts: readonly string[], option: string): void {
  for (const text of texts) {
    const equals = text.indexOf('=')
    const name = equals === -1 ? text : text.slice(0, equals)
    if (name === '') refuseOption(option, text, 'it has no name')
    if (text.includes('\0')) refuseOption(option, text, 'it holds a NUL byte')
    if (equals === -1) variables.delete(name)
    else variables.set(name, text.slice(equals + 1))
  }
}
