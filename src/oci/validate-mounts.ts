/** config.md "Mounts": what can be known to be wrong before the kernel sees it. */
import type { JsonCursor } from './json-cursor.ts'
import { KNOWN_MOUNT_OPTIONS } from './mount-option-names.ts'
import { type ConfiguredNamespaces, checkMappings } from './validate-linux.ts'

const KNOWN = new Set(KNOWN_MOUNT_OPTIONS)
/** Options with a value, or of crun alone: the compiler reads or refuses them by name. */
const COMPILERS_OWN = /^(?:r?idmap=.*|copy-symlink|(?:src|dest)-nofollow)$/

/** Checks one entry of `mounts`. */
export function checkMount(mount: JsonCursor, namespaces: ConfiguredNamespaces): void {
  const path = mount.field('destination').required().nonEmptyString()
  const type = mount.field('type').string() ?? ''
  mount.field('source').string()
  const options = mount.field('options').strings()
  const isBind = type === 'bind' || options.includes('bind') || options.includes('rbind')
  if (path !== undefined && !options.includes('remount')) {
    checkPlace(mount, cleanPath(path), isBind ? 'bind' : type)
  }
  if (isBind) refuseFilesystemOptions(mount.field('options'))
  if (options.includes('tmpcopyup') && (isBind || type !== 'tmpfs')) {
    mount.field('options').report('has tmpcopyup, which only a mount of type tmpfs can have')
  }
  checkIdMapping(mount, isBind, options, namespaces)
}

function checkPlace(mount: JsonCursor, path: string, type: string): void {
  if (type === '') mount.field('type').report('is required without bind or rbind in options')
  // What is mounted on the root lies above it: the container would never see it.
  if (path === '/') mount.field('destination').report('must not be the root of the container')
  if (path === '/proc' && type !== 'bind' && type !== 'proc') {
    mount.field('type').report(`must be proc for a mount on /proc, not ${JSON.stringify(type)}`)
  }
}

function cleanPath(path: string): string {
  const names: string[] = []
  for (const name of path.split('/')) {
    if (name === '..') names.pop()
    else if (name !== '' && name !== '.') names.push(name)
  }
  return `/${names.join('/')}`
}

// They belong to the superblock, which a bind mount shares with the host: the kernel ignores them.
function refuseFilesystemOptions(options: JsonCursor): void {
  for (const option of options.items()) {
    const text = String(option.value)
    if (text === '' || KNOWN.has(text) || COMPILERS_OWN.test(text)) continue
    option.report(
      `${JSON.stringify(text)} is an option of a file system, which a bind mount cannot have`,
    )
  }
}

function checkIdMapping(
  mount: JsonCursor,
  isBind: boolean,
  options: readonly string[],
  namespaces: ConfiguredNamespaces,
): void {
  const [uid, gid] = [mount.field('uidMappings'), mount.field('gidMappings')]
  if (uid.present) checkMappings(uid)
  if (gid.present) checkMappings(gid)
  if (uid.present !== gid.present)
    mount.report('must have both uidMappings and gidMappings or neither')
  const asked = options.find((option) => /^r?idmap(?:=|$)/.test(option))
  if (!uid.present && !gid.present && asked === undefined) return
  if (!isBind) mount.report('must be a bind mount to have its ids mapped')
  if (uid.present || gid.present || asked?.includes('=') || namespaces.has('user')) return
  mount
    .field('options')
    .report(`has ${asked}, which needs uidMappings and gidMappings, or a user namespace`)
}
