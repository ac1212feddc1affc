/** The options of docker's `local` driver, which are mount(8)'s: `type=tmpfs device=tmpfs o=size=10m`. */
import { isAbsolute } from 'node:path'
import { TsrunError } from '../../errors.ts'
import {
  MS_DIRSYNC,
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_RDONLY,
  MS_RELATIME,
  MS_STRICTATIME,
  MS_SYNCHRONOUS,
} from '../../linux/mount-flags.ts'
import type { VolumeSettings } from '../../spec/user-mount.ts'

/** What is to be mounted over the volume's folder; undefined for a volume that is that folder. */
export type VolumeMountSource =
  | { readonly kind: 'bind'; readonly source: string; readonly flags: number }
  | {
      readonly kind: 'filesystem'
      readonly source: string
      readonly type: string
      readonly flags: number
      readonly data: string
    }

const FLAGS: Readonly<Record<string, number>> = {
  ro: MS_RDONLY,
  nosuid: MS_NOSUID,
  nodev: MS_NODEV,
  noexec: MS_NOEXEC,
  sync: MS_SYNCHRONOUS,
  dirsync: MS_DIRSYNC,
  noatime: MS_NOATIME,
  nodiratime: MS_NODIRATIME,
  relatime: MS_RELATIME,
  strictatime: MS_STRICTATIME,
}
/** Names of what is so anyway. */
const DEFAULTS: ReadonlySet<string> = new Set([
  'rw',
  'suid',
  'dev',
  'exec',
  'async',
  'atime',
  'diratime',
  'defaults',
  'auto',
  'noauto',
  'nofail',
])

/** Throws `invalid-argument` naming the volume and the option that cannot be. */
export function mountSourceOf(
  name: string,
  { driver, driverOptions }: VolumeSettings,
): VolumeMountSource | undefined {
  if (driver !== 'local') {
    throw new TsrunError(
      'not-implemented',
      `cannot make volume "${name}": there is no volume driver "${driver}"`,
      { hint: 'the driver is local; plugins are not supported' },
    )
  }
  for (const key of Object.keys(driverOptions)) {
    if (['type', 'device', 'o'].includes(key)) continue
    const detail = key === 'size' ? ': quotas of folders are not supported' : ''
    throw refused(name, `the driver local has no option "${key}"${detail}`)
  }
  const { type = '', device = '', o = '' } = driverOptions
  if (type === '' && device === '' && o === '') return undefined
  if (device === '') throw refused(name, 'the option device is missing')
  return sourceOf(name, type, device, o === '' ? [] : o.split(','))
}

function sourceOf(
  name: string,
  type: string,
  device: string,
  options: readonly string[],
): VolumeMountSource {
  const isBind = options.some((option) => option === 'bind' || option === 'rbind')
  const rest = options.filter((option) => option !== 'bind' && option !== 'rbind')
  const flags = rest.reduce((all, option) => all | (FLAGS[option] ?? 0), 0)
  const data = rest.filter((option) => !(option in FLAGS) && !DEFAULTS.has(option)).join(',')
  if (isBind) {
    if (type !== '' && type !== 'none') throw refused(name, `a bind has no type "${type}"`)
    if (!isAbsolute(device)) throw refused(name, `the device "${device}" is not an absolute path`)
    if (data !== '') throw refused(name, `a bind has no option "${data}"`)
    return { kind: 'bind', source: device, flags }
  }
  if (type === '' || type === 'none') {
    throw refused(name, 'without o=bind it needs the type of a file system')
  }
  return { kind: 'filesystem', source: device, type, flags, data }
}

function refused(name: string, detail: string): TsrunError {
  return new TsrunError('invalid-argument', `cannot make volume "${name}": ${detail}`, {
    hint: 'examples: -o type=tmpfs -o device=tmpfs -o o=size=64m, or -o type=none -o device=/path -o o=bind',
  })
}
