/** /etc/hosts of a container: localhost, what the user added, and itself. Pure. */
import { TsrunError } from '../errors.ts'
import { parseAddress } from './ip-address.ts'
import { isHostName } from './network-option.ts'

export const LOCALHOST = `127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
`

export interface HostEntry {
  readonly address: string
  readonly names: readonly string[]
}

/** `name:address`, also `name=address`; `host-gateway` stands for the host as the container reaches it. */
export function parseAddHost(text: string, gateway: string | undefined): HostEntry {
  const at = text.search(/[:=]/)
  const name = text.slice(0, Math.max(at, 0))
  const given = text.slice(at + 1).replace(/^\[(.*)\]$/, '$1')
  if (at < 1 || !isHostName(name)) throw refused(text, 'it must be name:address')
  if (given === 'host-gateway' && gateway === undefined)
    throw refused(text, 'the container has no network in which it reaches the host')
  const address = given === 'host-gateway' ? gateway : given
  if (address === undefined || parseAddress(address) === undefined)
    throw refused(text, `"${given}" is no address`)
  return { address, names: [name] }
}

/** `base` with the lines of `entries` behind it. */
export function ownHosts(base: string, entries: readonly HostEntry[]): string {
  const text = base === '' || base.endsWith('\n') ? base : `${base}\n`
  return `${text}${linesOf(entries)}`
}

/** `hosts` without the lines of `gone` and with those of `come`; every other line stays. */
export function withEntries(
  hosts: string,
  gone: readonly HostEntry[],
  come: readonly HostEntry[],
): string {
  const lines = hosts.split(/(?<=\n)/)
  for (const entry of gone) {
    const at = lines.indexOf(linesOf([entry]))
    if (at >= 0) lines.splice(at, 1)
  }
  return ownHosts(lines.join(''), come)
}

function linesOf(entries: readonly HostEntry[]): string {
  return entries.map(({ address, names }) => `${address}\t${names.join(' ')}\n`).join('')
}

function refused(text: string, why: string): TsrunError {
  return new TsrunError('invalid-argument', `cannot use --add-host "${text}": ${why}`)
}
