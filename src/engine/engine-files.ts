/** The files that the engine lays over an image's: /etc/hosts, /etc/hostname and /etc/resolv.conf. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf } from '../errors.ts'
import type { Mount } from '../oci/runtime-config.ts'

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
}

/** Writes the files into the container's folder. */
export function writeEngineFiles(
  directory: string,
  { hostname, network }: EngineFilesOptions,
): void {
  const hosts = network === 'host' ? readHostFile('/etc/hosts') : LOCALHOST
  write(join(directory, 'hosts'), hosts)
  write(join(directory, 'hostname'), `${hostname}\n`)
  write(join(directory, 'resolv.conf'), readHostFile('/etc/resolv.conf'))
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

function readHostFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return ''
    throw error
  }
}

// Every user of the container reads them, whatever the caller's umask is.
function write(path: string, text: string): void {
  writeFileSync(path, text)
  chmodSync(path, 0o644)
}
