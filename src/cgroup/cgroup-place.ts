/** Where a container's cgroup is and whose it is: what must be remembered to find it again. */
import { TsrunError } from '../errors.ts'

/** A unit of systemd, of the host's or of the user's own manager. */
export interface ScopePlace {
  readonly unit: string
  readonly manager: 'system' | 'user'
}

export interface CgroupPlace {
  /** Absolute path of the directory. */
  readonly path: string
  /** The scope that it belongs to, where systemd made it. */
  readonly scope?: ScopePlace
}

/** As text: the path, and on a second line the scope. */
export function formatPlace({ path, scope }: CgroupPlace): string {
  return scope === undefined ? path : `${path}\n${scope.manager} ${scope.unit}`
}

/** Parses what {@link formatPlace} wrote. Throws `internal` for anything else. */
export function parsePlace(text: string): CgroupPlace {
  const [path = '', scope, ...more] = text.split('\n')
  if (path.startsWith('/') && more.length === 0) {
    if (scope === undefined) return { path }
    const match = /^(system|user) (\S+\.scope)$/.exec(scope)
    if (match?.[2] !== undefined)
      return { path, scope: { unit: match[2], manager: match[1] === 'user' ? 'user' : 'system' } }
  }
  throw new TsrunError('internal', `cannot read where a cgroup is: ${JSON.stringify(text)}`, {
    hint: 'remove the cgroup and the folder of the container by hand',
  })
}
