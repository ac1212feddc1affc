/** The ports that processes of this network namespace listen on, from /proc/net (proc_net(5)). */
import { readdirSync, readlinkSync } from 'node:fs'
import { readTextIfThere } from '../util/if-there.ts'
import { addressFromBytes, formatAddress } from './ip-address.ts'
import type { PortHolder } from './port-publish.ts'

export interface OpenPort {
  readonly protocol: 'tcp' | 'udp'
  readonly address: string
  readonly port: number
  readonly inode: string
}

const TCP_LISTEN = '0A'

/** Every listening socket of TCP and every bound one of UDP. */
export function openPorts(): readonly OpenPort[] {
  return (['tcp', 'udp'] as const).flatMap((protocol) =>
    ['', '6'].flatMap((suffix) =>
      parseSocketTable(protocol, readTextIfThere(`/proc/net/${protocol}${suffix}`) ?? ''),
    ),
  )
}

/** The lines of /proc/net/tcp and its like; lines of another form are left out. */
export function parseSocketTable(protocol: 'tcp' | 'udp', text: string): readonly OpenPort[] {
  return text.split('\n').flatMap((line): OpenPort[] => {
    const fields = line.trim().split(/\s+/)
    const [hex = '', port = ''] = (fields[1] ?? '').split(':')
    const state = fields[3]
    const inode = fields[9] ?? ''
    if (!/^([0-9A-F]{8}|[0-9A-F]{32})$/.test(hex) || !/^[0-9A-F]{4}$/.test(port)) return []
    if (protocol === 'tcp' && state !== TCP_LISTEN) return []
    const address = addressFromBytes(swapWords(Buffer.from(hex, 'hex')))
    if (address === undefined) return []
    return [{ protocol, address: formatAddress(address), port: Number.parseInt(port, 16), inode }]
  })
}

/** As holders of ports; who they are is looked up only for `ports`, which costs a walk through /proc. */
export function portHolders(ports: readonly OpenPort[]): readonly PortHolder[] {
  return ports.map((open) => ({
    protocol: open.protocol,
    // A listener at :: takes IPv4 too, unless it says otherwise.
    hostIp: open.address === '::' || open.address === '0.0.0.0' ? '' : open.address,
    port: open.port,
    get by() {
      return describeProcess(open.inode)
    },
  }))
}

function describeProcess(inode: string): string {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (!hasSocket(pid, inode)) continue
    const name = (readTextIfThere(`/proc/${pid}/comm`) ?? '').trim()
    return `the process ${name} (pid ${pid})`
  }
  return 'a process of the host'
}

function hasSocket(pid: string, inode: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some(
      (fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`,
    )
  } catch {
    // Ended, or closed the descriptor, while we looked, ignoring.
    return false
  }
}

// The kernel prints 32-bit words in this machine's order, which is little-endian.
function swapWords(bytes: Buffer): Buffer {
  return bytes.swap32()
}
