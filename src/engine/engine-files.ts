/** The files that the engine lays over an image's: /etc/hosts, /etc/hostname, /etc/resolv.conf, the init of --init. */
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nativePart } from '../native/library.ts'
import { LOCALHOST, ownHosts, parseAddHost } from '../network/hosts-file.ts'
import { containerResolvConf } from '../network/resolv-conf.ts'
import type { Mount } from '../oci/runtime-config.ts'
import { cleanDestination } from '../spec/user-mount.ts'
import { readTextIfThere } from '../util/if-there.ts'
import { nameFile } from '../util/name-file.ts'
import type { IdentityFile } from './identity-files.ts'
import { hostResolvConf } from './resolv-conf.ts'
import type { RunRequest } from './run-request.ts'

export interface EngineFilesOptions {
  readonly hostname: string
  readonly network: 'none' | 'host'
  /** A small init reaps the container's orphans. */
  readonly init: boolean
  readonly identity: readonly IdentityFile[]
  /** What --dns and --add-host say of a container that is in no network; those in one get theirs when they start. */
  readonly names?: Pick<RunRequest, 'dns' | 'dnsSearch' | 'dnsOptions' | 'addHosts'>
}

/** Writes the files into the container's folder. */
export function writeEngineFiles(
  directory: string,
  { hostname, network, init, identity, names = {} }: EngineFilesOptions,
): void {
  const hosts = network === 'host' ? (readTextIfThere('/etc/hosts') ?? '') : LOCALHOST
  const gateway = network === 'host' ? '127.0.0.1' : undefined
  const added = (names.addHosts ?? []).map((text) => parseAddHost(text, gateway))
  write(join(directory, 'hosts'), ownHosts(hosts, added))
  write(join(directory, 'hostname'), `${hostname}\n`)
  write(join(directory, 'resolv.conf'), resolvConf(network, names))
  for (const { name, content } of identity) write(join(directory, name), content)
  if (init) write(reaperPath(directory), nativePart('tsrun-reaper'), 0o755)
}

function resolvConf(
  network: EngineFilesOptions['network'],
  { dns, dnsSearch, dnsOptions }: NonNullable<EngineFilesOptions['names']>,
): string {
  const host = hostResolvConf(network)
  const given = { servers: dns ?? [], search: dnsSearch ?? [], options: dnsOptions ?? [] }
  const isGiven = Object.values(given).some((values) => values.length > 0)
  return isGiven ? containerResolvConf(host, given, false) : host
}

/** The init of --init: a copy that stays with the container when tsrun is moved or replaced. */
export function reaperPath(directory: string): string {
  return join(directory, 'reaper')
}

/** The mounts that show them in the container. */
export function engineMounts(
  directory: string,
  request: RunRequest,
  identity: readonly IdentityFile[],
  hasOwnIds = false,
): readonly Mount[] {
  const access = request.readOnly === true ? ['ro'] : []
  const options = ['rbind', 'rprivate', ...access, ...(hasOwnIds ? ['idmap'] : [])]
  const names = [
    ...(request.noHosts === true ? [] : ['hosts']),
    ...(request.noHostname === true ? [] : ['hostname']),
    'resolv.conf',
  ]
  const roots = ['', ...(request.chrootFolders ?? []).map(cleanFolder)]
  const places = roots.flatMap((root) => names.map((name) => ({ root, name })))
  return [...places, ...identity.map(({ name }) => ({ root: '', name }))].map(({ root, name }) => ({
    destination: `${root}/etc/${name}`,
    type: 'bind',
    source: join(directory, name),
    options,
  }))
}

function cleanFolder(path: string): string {
  return cleanDestination('chrootdirs', path, path)
}

// Every user of the container reads them, whatever the caller's umask is.
function write(path: string, content: string | Uint8Array, mode = 0o644): void {
  nameFile(path, () => writeFileSync(path, content))
  chmodSync(path, mode)
}
