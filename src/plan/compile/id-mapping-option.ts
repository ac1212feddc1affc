/** The mount options idmap and ridmap, with or without ids of their own as crun takes them. */
import { TsrunError } from '../../errors.ts'
import type { IdMapping, Mount, RuntimeConfig } from '../../oci/runtime-config.ts'

/** How the ids of one mount are mapped: by these mappings, or as the user namespace at `path` does. */
export type MountIdMapping = { readonly recursive: boolean } & (
  | { readonly uids: readonly IdMapping[]; readonly gids: readonly IdMapping[] }
  | { readonly path: string }
)

/** What `mount` asks for, or undefined. Throws `invalid-argument` for ids that cannot be read. */
export function mountIdMapping(config: RuntimeConfig, mount: Mount): MountIdMapping | undefined {
  const option = mount.options?.findLast((text) => /^r?idmap(?:=|$)/.test(text))
  const { uidMappings: uids, gidMappings: gids } = mount
  if (option === undefined && uids === undefined) return undefined
  const recursive = option?.startsWith('r') === true
  if (uids !== undefined && gids !== undefined) return { recursive, uids, gids }
  const [, text] = option?.split(/=(.*)/) ?? []
  if (text !== undefined) return { recursive, ...parseOption(config, mount, text) }
  const path = config.linux?.namespaces?.find(({ type }) => type === 'user')?.path
  if (path !== undefined) return { recursive, path }
  return {
    recursive,
    uids: config.linux?.uidMappings ?? [],
    gids: config.linux?.gidMappings ?? [],
  }
}

/** `uids=0-1000-1#1-100000-65535;gids=@0-0-10`: file system id, host id, size; `@`: id in the container. */
function parseOption(config: RuntimeConfig, mount: Mount, text: string) {
  const lists = new Map(
    text.split(';').map((list) => {
      const [name = '', ranges = ''] = list.split('=')
      const of = name === 'uids' ? config.linux?.uidMappings : config.linux?.gidMappings
      return [name, ranges.split('#').map((range) => parseRange(range, of ?? [], mount))]
    }),
  )
  const [uids, gids] = [lists.get('uids'), lists.get('gids')]
  if (uids === undefined || gids === undefined || lists.size !== 2) refuse(mount, text)
  return { uids, gids }
}

function parseRange(range: string, container: readonly IdMapping[], mount: Mount): IdMapping {
  const match = /^(@?)(\d{1,10})-(\d{1,10})-(\d{1,10})$/.exec(range)
  if (match === null) refuse(mount, range)
  const [containerID = 0, wanted = 0, size = 0] = match.slice(2).map(Number)
  if (match[1] === '') return { containerID, hostID: wanted, size }
  const around = container.find(
    (mapping) => wanted >= mapping.containerID && wanted < mapping.containerID + mapping.size,
  )
  if (around === undefined) refuse(mount, range)
  return { containerID, hostID: wanted + around.hostID - around.containerID, size }
}

function refuse(mount: Mount, text: string): never {
  throw new TsrunError(
    'invalid-argument',
    `cannot map the ids of the mount on ${mount.destination}: ${JSON.stringify(text)}`,
    {
      hint: 'write uids=FILE-HOST-SIZE;gids=FILE-HOST-SIZE, ranges joined by #, with @ before ids of the container’s own mapping',
    },
  )
}
