/** Reads the certificates that docker and podman keep for a registry: /etc/docker/certs.d/HOST and /etc/containers/certs.d/HOST. */
import { join } from 'node:path'
import { TsrunError } from '../errors.ts'
import { namesIn, readTextIfThere } from '../util/if-there.ts'
import type { EndpointCertificates } from './resolve-reference.ts'

const FOLDERS = ['containers/certs.d', 'docker/certs.d']

/** `*.crt` are authorities, `*.cert` with `*.key` the client's own; undefined when there are none. */
export function readCertsD(etc: string, host: string): EndpointCertificates | undefined {
  for (const folder of FOLDERS.map((name) => join(etc, name, host))) {
    const names = namesIn(folder).sort()
    const read = (name: string): string => readTextIfThere(join(folder, name)) ?? ''
    const authorities = names.filter((name) => name.endsWith('.crt')).map(read)
    const certificate = names.find((name) => name.endsWith('.cert'))
    if (certificate === undefined) {
      if (authorities.length > 0) return { authorities }
      continue
    }
    const key = `${certificate.slice(0, -'.cert'.length)}.key`
    if (!names.includes(key))
      throw new TsrunError(
        'failed-precondition',
        `cannot use "${join(folder, certificate)}": there is no key ${key} beside it`,
      )
    return { authorities, client: { certificate: read(certificate), key: read(key) } }
  }
  return undefined
}
