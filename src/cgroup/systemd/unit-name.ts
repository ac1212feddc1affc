/** Which scope of systemd a container gets: `linux.cgroupsPath` as `slice:prefix:name` (runc docs/systemd.md). */
import { TsrunError } from '../../errors.ts'

export interface ScopeName {
  /** As `machine.slice`; `-.slice` is the root. */
  readonly slice: string
  /** As `libpod-0123.scope`. */
  readonly unit: string
}

// systemd.unit(5): a name of at most 255 ASCII letters, digits and :-_.\
const UNIT_NAME = /^[A-Za-z0-9:_.\\-]{1,249}\.scope$/
const SLICE_NAME = /^(-|[A-Za-z0-9:_.\\]+(-[A-Za-z0-9:_.\\]+)*)\.slice$/

/**
 * The scope for `cgroupsPath`, `tsrun-<id>.scope` in `defaultSlice` when it is not given. Throws
 * `invalid-argument`.
 */
export function scopeName(
  cgroupsPath: string | undefined,
  id: string,
  defaultSlice: string,
): ScopeName {
  const [slice, prefix, name] = parts(cgroupsPath, id)
  if (name.endsWith('.slice')) {
    throw new TsrunError(
      'invalid-argument',
      `cannot make the slice "${name}": a container's processes live in a scope, not in a slice`,
      { hint: 'give linux.cgroupsPath a name that does not end with .slice' },
    )
  }
  const unit = `${prefix === '' ? '' : `${prefix}-`}${name}.scope`
  if (!UNIT_NAME.test(unit)) {
    throw new TsrunError(
      'invalid-argument',
      `invalid name of a systemd unit: ${JSON.stringify(unit)} (linux.cgroupsPath)`,
      { hint: 'use letters, digits and : - _ . \\ , at most 255 with the prefix' },
    )
  }
  const given = slice === '' ? defaultSlice : slice
  checkSlice(given)
  return { slice: given, unit }
}

function parts(cgroupsPath: string | undefined, id: string): readonly [string, string, string] {
  if (cgroupsPath === undefined || cgroupsPath === '') return ['', 'tsrun', escapeName(id)]
  const [slice, prefix, name, ...more] = cgroupsPath.split(':')
  if (slice === undefined || prefix === undefined || name === undefined || more.length > 0) {
    throw new TsrunError(
      'invalid-argument',
      `expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got ${JSON.stringify(cgroupsPath)} instead`,
      { hint: 'set linux.cgroupsPath to such a path, or leave --systemd-cgroup out' },
    )
  }
  return [slice, prefix, name]
}

// A container id may have a `+`, which a unit's name may not (systemd-escape(1)).
function escapeName(id: string): string {
  return id.replaceAll('+', '\\x2b')
}

function checkSlice(slice: string): void {
  if (SLICE_NAME.test(slice)) return
  throw new TsrunError('invalid-argument', `invalid slice name: ${slice} (linux.cgroupsPath)`, {
    hint: 'a slice is named like machine.slice or user-1000.slice',
  })
}

/** Where systemd puts a slice: `a-b.slice` is `/a.slice/a-b.slice` (systemd.slice(5)). */
export function slicePath(slice: string): string {
  const name = slice.replace(/\.slice$/, '')
  if (name === '-') return '/'
  const components = name.split('-')
  return components.map((_, i) => `/${components.slice(0, i + 1).join('-')}.slice`).join('')
}
