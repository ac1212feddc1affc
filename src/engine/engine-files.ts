/** The files that the engine lays over an image's: /etc/hosts, /etc/hostname, /etc/resolv.conf, the init of --init. */
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nativePart } from '../native/library.ts'
import type { Mount } from '../oci/runtime-config.ts'
import { readTextIfThere } from '../util/if-there.ts'
import { nameFile } from '../util/name-file.ts'

const LOCALHOST = `127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
`

export interface EngineFilesOptions {
  readonly hostname: string
  readonly network: 'none' | 'host'
  /** A small init reaps the container's orphans. */
  readonly init: boolean
}

/** Writes the files into the container's folder. */
export function writeEngineFiles(
  directory: string,
  { hostname, network, init }: EngineFilesOptions,
): void {
  const hosts = network === 'host' ? (readTextIfThere('/etc/hosts') ?? '') : LOCALHOST
  write(join(directory, 'hosts'), hosts)
  write(join(directory, 'hostname'), `${hostname}\n`)
  write(join(directory, 'resolv.conf'), readTextIfThere('/etc/resolv.conf') ?? '')
  if (init) write(reaperPath(directory), nativePart('tsrun-reaper'), 0o755)
}

/** The init of --init: a copy that stays with the container when tsrun is moved or replaced. */
export function reaperPath(directory: string): string {
  return join(directory, 'reaper')
}

/** The mounts that show them in the container. */
export function engineMounts(directory: string, readOnly: boolean): readonly Mount[] {
  const options = ['rbind', 'rprivate', ...(readOnly ? ['ro'] : [])]
  return ['hosts', 'hostname', 'resolv.conf'].map((name) => ({
    destination: `/etc/${name}`,
    type: 'bind',
    source: join(directory, name),
    options,
  }))
}

// Every user of the container reads them, whatever the caller's umask is.
function write(path: string, content: string | Uint8Array, mode = 0o644): void {
  nameFile(path, () => writeFileSync(path, content))
  chmodSync(path, mode)
}
