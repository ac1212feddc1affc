/** --mount: docker's keys and podman's further ones, everything unknown refused by name. */
import { posix } from 'node:path'
import { PROPAGATION_FLAGS } from '../linux/mount-flags.ts'
import { bindOptions } from './bind-options.ts'
import { refuseNul, refuseOption, refuseUnsupported } from './invalid-option.ts'
import { type MountFields, readMountFields } from './mount-fields.ts'
import { checkTmpfsOption, TMPFS_DEFAULTS } from './tmpfs-options.ts'
import { cleanDestination, isVolumeName, PLAIN_MOUNT, type UserMount } from './user-mount.ts'

type Reader = (fields: MountFields, workingDirectory: string) => UserMount

const TYPES: Readonly<Record<string, Reader>> = {
  bind: readBind,
  volume: readVolume,
  tmpfs: readTmpfs,
  image: readImage,
  ramfs: (fields) => readEmpty(fields, 'ramfs'),
  devpts: (fields) => readEmpty(fields, 'devpts'),
}
/** Types of docker and podman that are not here. */
const ELSEWHERE = ['npipe', 'cluster', 'glob', 'artifact']

const COMMON = ['type', 'target', 'readonly', 'consistency']

/** `type=bind,source=/a,target=/b,readonly` and the like; without type it is a volume. */
export function parseMountOption(text: string, workingDirectory: string): UserMount {
  refuseNul('mount', text)
  const fields = readMountFields(text)
  const type = fields.text('type') ?? 'volume'
  const read = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined
  if (read !== undefined) return read(fields, workingDirectory)
  if (ELSEWHERE.includes(type)) return refuseUnsupported('mount', text, `type=${type}`)
  const known = Object.keys(TYPES).join(', ')
  return refuseOption('mount', text, `type must be one of ${known}, not ${JSON.stringify(type)}`)
}

function readBind(fields: MountFields, workingDirectory: string): UserMount {
  fields.allow([
    ...COMMON,
    'source',
    'bind-propagation',
    'bind-recursive',
    'bind-nonrecursive',
    'bind-create-src',
    'idmap',
    'chown',
    'relabel',
  ])
  const source = fields.text('source') ?? ''
  if (source === '') refuseOption('mount', fields.whole, 'it has no source')
  const readOnly = fields.flag('readonly')
  return {
    ...PLAIN_MOUNT,
    type: 'bind',
    destination: destinationOf(fields),
    source: posix.resolve(workingDirectory, source),
    options: bindOptionsOf(fields, readOnly),
    readOnly,
    createSource: fields.flag('bind-create-src'),
    chown: fields.flag('chown'),
  }
}

function bindOptionsOf(fields: MountFields, readOnly: boolean): readonly string[] {
  const propagation = fields.text('bind-propagation') ?? 'rprivate'
  if (!Object.hasOwn(PROPAGATION_FLAGS, propagation)) {
    refuseOption('mount', fields.whole, `${JSON.stringify(propagation)} is not a propagation`)
  }
  const recursion = recursionOf(fields)
  if (!readOnly && (recursion === 'writable' || recursion === 'readonly')) {
    refuseOption('mount', fields.whole, `bind-recursive=${recursion} needs readonly`)
  }
  if (recursion === 'readonly' && propagation !== 'rprivate') {
    refuseOption('mount', fields.whole, 'bind-recursive=readonly needs bind-propagation=rprivate')
  }
  const bind = recursion === 'disabled' ? 'bind' : 'rbind'
  const access = readOnly ? (recursion === 'writable' ? 'top' : 'recursive') : 'no'
  return bindOptions(bind, propagation, access, idmapOf(fields))
}

function recursionOf(fields: MountFields): string {
  const text = fields.text('bind-recursive') ?? 'enabled'
  const named = { true: 'enabled', false: 'disabled' }[text] ?? text
  if (!['enabled', 'disabled', 'writable', 'readonly'].includes(named)) {
    refuseOption(
      'mount',
      fields.whole,
      `bind-recursive must be enabled, disabled, writable or readonly, not ${JSON.stringify(text)}`,
    )
  }
  return fields.flag('bind-nonrecursive') ? 'disabled' : named
}

function idmapOf(fields: MountFields): readonly string[] {
  const text = fields.text('idmap')
  if (text === undefined || text === 'false') return []
  return [text === 'true' ? 'idmap' : `idmap=${text}`]
}

function readVolume(fields: MountFields): UserMount {
  fields.allow([
    ...COMMON,
    'source',
    'volume-subpath',
    'volume-nocopy',
    'volume-label',
    'volume-driver',
    'volume-opt',
    'idmap',
    'chown',
  ])
  const name = fields.text('source')
  if (name !== undefined && !isVolumeName(name)) {
    refuseOption('mount', fields.whole, `${JSON.stringify(name)} is not the name of a volume`)
  }
  const readOnly = fields.flag('readonly')
  return {
    ...PLAIN_MOUNT,
    type: 'volume',
    destination: destinationOf(fields),
    ...(name === undefined ? {} : { source: name }),
    options: bindOptions('rbind', 'rprivate', readOnly ? 'recursive' : 'no', idmapOf(fields)),
    readOnly,
    ...subpathOf(fields, 'volume-subpath'),
    copyUp: !fields.flag('volume-nocopy'),
    chown: fields.flag('chown'),
    settings: {
      driver: fields.text('volume-driver') ?? 'local',
      driverOptions: fields.pairs('volume-opt'),
      labels: fields.pairs('volume-label'),
    },
  }
}

function readImage(fields: MountFields): UserMount {
  fields.allow([...COMMON, 'source', 'image-subpath', 'readwrite'])
  const source = fields.text('source') ?? ''
  if (source === '') refuseOption('mount', fields.whole, 'it has no source')
  // podman's rw: what is written is lost with the container.
  const readOnly = !fields.flag('readwrite')
  return {
    ...PLAIN_MOUNT,
    type: 'image',
    destination: destinationOf(fields),
    source,
    options: bindOptions('bind', 'rprivate', readOnly ? 'recursive' : 'no'),
    readOnly,
    ...subpathOf(fields, 'image-subpath'),
  }
}

function readTmpfs(fields: MountFields): UserMount {
  fields.allow([...COMMON, 'tmpfs-size', 'tmpfs-mode', 'tmpcopyup', 'notmpcopyup', 'chown'])
  const size = fields.text('tmpfs-size')
  const mode = fields.text('tmpfs-mode')
  if (fields.flag('chown')) refuseUnsupported('mount', fields.whole, 'chown of a tmpfs')
  const readOnly = fields.flag('readonly')
  const check = (option: string) => checkTmpfsOption(option, fields.whole)
  return {
    ...PLAIN_MOUNT,
    type: 'tmpfs',
    destination: destinationOf(fields),
    options: [
      ...TMPFS_DEFAULTS,
      ...(readOnly ? ['ro'] : []),
      ...(size === undefined ? [] : [check(`size=${size.replace(/b$/i, '')}`)]),
      ...(mode === undefined ? [] : [check(`mode=${mode}`)]),
      ...(fields.flag('tmpcopyup') && !fields.flag('notmpcopyup') ? ['tmpcopyup'] : []),
    ],
    readOnly,
  }
}

function readEmpty(fields: MountFields, type: 'ramfs' | 'devpts'): UserMount {
  fields.allow(['type', 'target', 'readonly', 'consistency'])
  const readOnly = fields.flag('readonly')
  const own = type === 'devpts' ? ['newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'] : []
  return {
    ...PLAIN_MOUNT,
    type,
    destination: destinationOf(fields),
    options: ['noexec', 'nosuid', ...(readOnly ? ['ro'] : []), ...own],
    readOnly,
  }
}

function destinationOf(fields: MountFields): string {
  return cleanDestination('mount', fields.whole, fields.text('target') ?? '')
}

function subpathOf(fields: MountFields, key: string): { readonly subpath?: string } {
  const text = fields.text(key)
  if (text === undefined) return {}
  if (text === '' || text.startsWith('/') || text.split('/').includes('..')) {
    refuseOption('mount', fields.whole, `${key} must be a relative path without ..`)
  }
  return { subpath: text }
}
