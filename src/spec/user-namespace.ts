/** --userns, --uidmap, --gidmap, --subuidname and --subgidname: whose ids a container has, in podman's words. */
import type { IdMapping } from '../oci/runtime-config.ts'
import { refuseNul, refuseOption } from './invalid-option.ts'
import type { SpecOptions } from './spec-input.ts'

export interface Ids {
  readonly uidMappings: readonly IdMapping[]
  readonly gidMappings: readonly IdMapping[]
}

export type UserNamespaceMode =
  | { readonly kind: 'host' }
  /** A range that no other container has, of as many ids as the image needs unless `size` says. */
  | ({ readonly kind: 'auto'; readonly size: number | undefined } & Ids)
  | ({ readonly kind: 'mapped' } & Ids)
  /** The ranges that /etc/subuid and /etc/subgid give to these names. */
  | { readonly kind: 'subordinate'; readonly user: string; readonly group: string }
  | { readonly kind: 'container'; readonly container: string }
  /** Without root: the user has the id that it has outside, or these. */
  | { readonly kind: 'keep-id'; readonly uid: number | undefined; readonly gid: number | undefined }
  /** Without root: the user has no id inside. */
  | { readonly kind: 'nomap' }

/** Whether a container gets ids of its own. */
export function asksForIds(options: SpecOptions): boolean {
  return userNamespaceMode(options).kind !== 'host'
}

/** What is not asked for is the host's ids. */
export function userNamespaceMode(options: SpecOptions): UserNamespaceMode {
  const { userns = '', uidMaps = [], gidMaps = [], subuidName, subgidName } = options
  refuseNul('userns', userns)
  const isMapped =
    uidMaps.length > 0 || gidMaps.length > 0 || subuidName !== undefined || subgidName !== undefined
  if (isMapped) {
    if (userns !== '' && userns !== 'private')
      refuseOption('userns', userns, '--uidmap, --gidmap, --subuidname and --subgidname say it too')
    return mappedMode(options)
  }
  const [kind, value] = userns.split(/:(.*)/s)
  if (kind === '' || userns === 'host') return { kind: 'host' }
  if (kind === 'auto') return autoMode(userns, value ?? '')
  if (kind === 'keep-id') return keepMode(userns, value ?? '')
  if (userns === 'nomap') return { kind: 'nomap' }
  if (kind === 'container' && value !== undefined && value !== '')
    return { kind: 'container', container: value }
  if (userns === 'private')
    refuseOption('userns', userns, 'it needs --uidmap or --subuidname; auto chooses ids by itself')
  if (kind === 'ns')
    refuseOption('userns', userns, 'which ids the image would get is not known; use container:NAME')
  return refuseOption('userns', userns, 'it is one of host, auto, keep-id, nomap, container:NAME')
}

function mappedMode({
  uidMaps = [],
  gidMaps = [],
  subuidName,
  subgidName,
}: SpecOptions): UserNamespaceMode {
  if (uidMaps.length === 0 && gidMaps.length === 0) {
    const user = subuidName ?? subgidName ?? ''
    return { kind: 'subordinate', user, group: subgidName ?? user }
  }
  if (subuidName !== undefined || subgidName !== undefined)
    refuseOption('subuidname', subuidName ?? subgidName ?? '', '--uidmap says other ids')
  const uids = uidMaps.map((text) => parseIdMap('uidmap', text))
  const gids = gidMaps.map((text) => parseIdMap('gidmap', text))
  // As podman: the one for both.
  return {
    kind: 'mapped',
    uidMappings: uids.length === 0 ? gids : uids,
    gidMappings: gids.length === 0 ? uids : gids,
  }
}

const LAST_ID = 0xffff_fffe

/** `container_id:from_id[:amount]`. */
export function parseIdMap(option: string, text: string): IdMapping {
  const match = /^(\d{1,10}):(\d{1,10})(?::(\d{1,10}))?$/.exec(text)
  if (match === null)
    refuseOption(option, text, 'write it as id-in-the-container:id-on-the-host:how-many')
  const [containerID = 0, hostID = 0, size = 1] = match
    .slice(1)
    .map((word) => (word === undefined ? 1 : Number(word)))
  if (size === 0) refuseOption(option, text, 'it maps no id')
  if (Math.max(containerID, hostID) + size - 1 > LAST_ID)
    refuseOption(option, text, `the last id is ${LAST_ID}`)
  return { containerID, hostID, size }
}

function autoMode(text: string, value: string): UserNamespaceMode {
  let size: number | undefined
  const uidMappings: IdMapping[] = []
  const gidMappings: IdMapping[] = []
  for (const [key, word] of settings(text, value)) {
    if (key === 'size') size = parseSize(text, word)
    else if (key === 'uidmapping') uidMappings.push(parseIdMap('userns', word))
    else if (key === 'gidmapping') gidMappings.push(parseIdMap('userns', word))
    else refuseOption('userns', text, `auto takes size, uidmapping and gidmapping, not "${key}"`)
  }
  return { kind: 'auto', size, uidMappings, gidMappings }
}

function keepMode(text: string, value: string): UserNamespaceMode {
  const ids = new Map<string, number>()
  for (const [key, word] of settings(text, value)) {
    if (key !== 'uid' && key !== 'gid')
      refuseOption('userns', text, `keep-id takes uid and gid, not "${key}"`)
    if (!/^\d{1,10}$/.test(word) || Number(word) > LAST_ID)
      refuseOption('userns', text, `"${word}" is no id`)
    ids.set(key, Number(word))
  }
  return { kind: 'keep-id', uid: ids.get('uid'), gid: ids.get('gid') }
}

function parseSize(text: string, word: string): number {
  const size = /^\d{1,10}$/.test(word) ? Number(word) : 0
  if (size > 0 && size <= LAST_ID) return size
  return refuseOption('userns', text, 'its size is a number of ids, such as 65536')
}

function settings(text: string, value: string): readonly (readonly [string, string])[] {
  return (value === '' ? [] : value.split(',')).map((pair) => {
    const [key = '', word] = pair.split(/=(.*)/s)
    if (word === undefined) refuseOption('userns', text, `"${key}" needs a value: ${key}=…`)
    return [key, word] as const
  })
}

/** What `id` of the container is on the host, undefined when it is nothing there. */
export function idOutside(id: number, mappings: readonly IdMapping[]): number | undefined {
  const range = mappings.find(
    ({ containerID, size }) => id >= containerID && id < containerID + size,
  )
  return range === undefined ? undefined : range.hostID + id - range.containerID
}

/** What `id` of the host is in the container, undefined when it is nothing there. */
export function idInside(id: number, mappings: readonly IdMapping[]): number | undefined {
  return idOutside(
    id,
    mappings.map(({ containerID, hostID, size }) => ({
      containerID: hostID,
      hostID: containerID,
      size,
    })),
  )
}
