/** -v, --mount and --tmpfs as mounts: docker's syntax, everything unknown refused by name. */
import { posix } from 'node:path'
import { PROPAGATION_FLAGS } from '../linux/mount-flags.ts'
import type { Mount } from '../oci/runtime-config.ts'
import { refuseNul, refuseOption, refuseUnsupported } from './invalid-option.ts'
import { splitCsv } from './split-csv.ts'

/** A bind mount that the user asks for, and what must become of a source that is not there. */
export interface UserMount {
  readonly mount: Mount
  /** -v makes a missing source directory, --mount refuses it. */
  readonly createSource: boolean
}

const TMPFS_DEFAULTS = ['noexec', 'nosuid', 'nodev']
const TMPFS_FLAGS = new Set(
  'rw ro suid nosuid dev nodev exec noexec sync async dirsync atime noatime diratime nodiratime relatime norelatime strictatime nostrictatime'.split(
    ' ',
  ),
)
/** tmpfs(5). */
const TMPFS_VALUES: Readonly<Record<string, RegExp>> = {
  size: /^\d+[kKmMgG%]?$/,
  nr_blocks: /^\d+[kKmMgG]?$/,
  nr_inodes: /^\d+[kKmMgG]?$/,
  mode: /^[0-7]{1,4}$/,
  uid: /^\d{1,10}$/,
  gid: /^\d{1,10}$/,
}
/** Hints for macOS's file sharing: without meaning on Linux, in docker too. */
const CONSISTENCY = new Set(['consistent', 'cached', 'delegated'])

/** `source:destination[:options]`. */
export function parseVolume(text: string, workingDirectory: string): UserMount {
  refuseNul('volume', text)
  const [source = '', destination, optionText = '', ...rest] = text.split(':')
  if (rest.length > 0)
    refuseOption('volume', text, 'it must be source:destination or source:destination:options')
  if (destination === undefined) refuseUnsupported('volume', text, 'anonymous volumes')
  if (source === '') refuseOption('volume', text, 'it has no source')
  if (!/^(?:\/|\.\.?(?:\/|$))/.test(source)) refuseUnsupported('volume', text, 'named volumes')
  const options = optionText === '' ? [] : optionText.split(',')
  return {
    mount: {
      destination: cleanDestination('volume', text, destination),
      type: 'bind',
      source: posix.resolve(workingDirectory, source),
      options: volumeOptions(options, text),
    },
    createSource: true,
  }
}

/** `type=bind,source=/a,target=/b,readonly` or `type=tmpfs,target=/t,tmpfs-size=1m`. */
export function parseMountOption(text: string, workingDirectory: string): UserMount {
  refuseNul('mount', text)
  const fields = new Map<string, string>()
  for (const field of splitCsv(text) ?? refuseOption('mount', text, 'its quotes do not match')) {
    const [key = '', ...value] = field.split('=')
    const name = MOUNT_KEYS[key.toLowerCase()] ?? key.toLowerCase()
    if (fields.has(name)) refuseOption('mount', text, `it has "${key}" twice`)
    fields.set(name, value.length === 0 ? 'true' : value.join('='))
  }
  const type = fields.get('type') ?? 'volume'
  if (type === 'bind')
    return { mount: bindOfFields(fields, text, workingDirectory), createSource: false }
  if (type === 'tmpfs') return { mount: tmpfsOfFields(fields, text), createSource: false }
  if (
    ['volume', 'image', 'npipe', 'cluster', 'devpts', 'ramfs', 'glob', 'artifact'].includes(type)
  ) {
    return refuseUnsupported('mount', text, `type=${type}`)
  }
  return refuseOption('mount', text, `type must be bind or tmpfs, not ${JSON.stringify(type)}`)
}

/** `path[:options]`. */
export function parseTmpfs(text: string): Mount {
  refuseNul('tmpfs', text)
  const colon = text.indexOf(':')
  const destination = colon === -1 ? text : text.slice(0, colon)
  const options = colon === -1 ? [] : text.slice(colon + 1).split(',')
  return {
    destination: cleanDestination('tmpfs', text, destination),
    type: 'tmpfs',
    source: 'tmpfs',
    options: [
      ...TMPFS_DEFAULTS,
      ...options.filter((option) => option !== '').map((option) => checkTmpfsOption(option, text)),
    ],
  }
}

/** Other names of a key of --mount. */
const MOUNT_KEYS: Readonly<Record<string, string>> = {
  src: 'source',
  dst: 'target',
  destination: 'target',
  ro: 'readonly',
}

function volumeOptions(options: readonly string[], text: string): readonly string[] {
  let readonly = false
  let bind = 'rbind'
  let propagation = 'rprivate'
  for (const option of options) {
    if (option === 'ro' || option === 'rw') readonly = option === 'ro'
    else if (option === 'bind' || option === 'rbind') bind = option
    else if (Object.hasOwn(PROPAGATION_FLAGS, option)) propagation = option
    // Relabelling is for SELinux, which the supported hosts do not have on; docker ignores it there too.
    else if (option === 'z' || option === 'Z' || CONSISTENCY.has(option)) continue
    else if (
      [
        'U',
        'O',
        'idmap',
        'nocopy',
        'copy',
        'noexec',
        'exec',
        'nodev',
        'dev',
        'nosuid',
        'suid',
      ].includes(option) ||
      option.startsWith('idmap=')
    ) {
      refuseUnsupported('volume', text, `option ${JSON.stringify(option)}`)
    } else refuseOption('volume', text, `${JSON.stringify(option)} is not an option of a volume`)
  }
  return bindOptions(bind, propagation, readonly ? 'recursive' : 'no')
}

/** `rro` makes mounts below the source read-only too (mount_setattr(2)), as docker does since 25. */
function bindOptions(
  bind: string,
  propagation: string,
  readonly: 'no' | 'top' | 'recursive',
): readonly string[] {
  const access = { no: [], top: ['ro'], recursive: bind === 'rbind' ? ['ro', 'rro'] : ['ro'] }[
    readonly
  ]
  return [bind, propagation, ...access]
}

function bindOfFields(
  fields: ReadonlyMap<string, string>,
  text: string,
  workingDirectory: string,
): Mount {
  checkKeys(
    fields,
    [
      'type',
      'source',
      'target',
      'readonly',
      'bind-propagation',
      'bind-recursive',
      'bind-nonrecursive',
      'consistency',
    ],
    text,
  )
  const source = fields.get('source') ?? ''
  if (source === '') refuseOption('mount', text, 'it has no source')
  const propagation = fields.get('bind-propagation') ?? 'rprivate'
  if (!Object.hasOwn(PROPAGATION_FLAGS, propagation)) {
    refuseOption('mount', text, `${JSON.stringify(propagation)} is not a propagation`)
  }
  const recursion = fields.get('bind-recursive') ?? 'enabled'
  if (!['enabled', 'disabled', 'writable', 'readonly', 'true', 'false'].includes(recursion)) {
    refuseOption(
      'mount',
      text,
      `bind-recursive must be enabled, disabled, writable or readonly, not ${JSON.stringify(recursion)}`,
    )
  }
  const flat =
    recursion === 'disabled' || recursion === 'false' || flag(fields, 'bind-nonrecursive', text)
  const readonly = flag(fields, 'readonly', text)
  return {
    destination: cleanDestination('mount', text, fields.get('target') ?? ''),
    type: 'bind',
    source: posix.resolve(workingDirectory, source),
    options: bindOptions(
      flat ? 'bind' : 'rbind',
      propagation,
      !readonly ? 'no' : recursion === 'writable' ? 'top' : 'recursive',
    ),
  }
}

function tmpfsOfFields(fields: ReadonlyMap<string, string>, text: string): Mount {
  checkKeys(fields, ['type', 'target', 'readonly', 'tmpfs-size', 'tmpfs-mode', 'consistency'], text)
  const size = fields.get('tmpfs-size')
  const mode = fields.get('tmpfs-mode')
  return {
    destination: cleanDestination('mount', text, fields.get('target') ?? ''),
    type: 'tmpfs',
    source: 'tmpfs',
    options: [
      ...TMPFS_DEFAULTS,
      ...(flag(fields, 'readonly', text) ? ['ro'] : []),
      ...(size === undefined ? [] : [checkTmpfsOption(`size=${size.replace(/b$/i, '')}`, text)]),
      ...(mode === undefined ? [] : [checkTmpfsOption(`mode=${mode}`, text)]),
    ],
  }
}

function checkKeys(
  fields: ReadonlyMap<string, string>,
  known: readonly string[],
  text: string,
): void {
  for (const key of fields.keys()) {
    if (known.includes(key)) continue
    if (/^(?:volume-|image-|bind-|tmpfs-)/.test(key)) refuseUnsupported('mount', text, key)
    refuseOption('mount', text, `${JSON.stringify(key)} is not a key of --mount`)
  }
}

function flag(fields: ReadonlyMap<string, string>, key: string, text: string): boolean {
  const value = fields.get(key) ?? 'false'
  if (value === 'true' || value === '1') return true
  if (value === 'false' || value === '0') return false
  return refuseOption('mount', text, `${key} must be true or false, not ${JSON.stringify(value)}`)
}

function checkTmpfsOption(option: string, text: string): string {
  if (TMPFS_FLAGS.has(option)) return option
  const equals = option.indexOf('=')
  const key = equals === -1 ? option : option.slice(0, equals)
  const pattern = Object.hasOwn(TMPFS_VALUES, key) ? TMPFS_VALUES[key] : undefined
  if (pattern === undefined)
    refuseOption('tmpfs', text, `${JSON.stringify(key)} is not an option of tmpfs`)
  if (equals === -1 || !pattern.test(option.slice(equals + 1))) {
    refuseOption('tmpfs', text, `${JSON.stringify(option)} has no valid value`)
  }
  return option
}

function cleanDestination(option: string, text: string, destination: string): string {
  if (!destination.startsWith('/'))
    refuseOption(option, text, 'the path in the container must be absolute')
  const clean = posix.normalize(destination).replace(/\/+$/, '')
  if (clean === '') refuseOption(option, text, 'the path in the container must not be /')
  return clean
}
