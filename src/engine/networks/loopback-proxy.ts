/**
 * Published ports at ::1: nf_tables can lead a packet from there to a container, but the kernel takes no answer. A small
 * process takes the connections and datagrams instead (tsrun-proxy); it ends with the container's init.
 */
import { sealedMemfd } from '../../native/syscalls.ts'
import { parseAddress } from '../../network/ip-address.ts'
import type { Lease, PortMapping } from '../../network/network-record.ts'
import { readTextIfThere } from '../../util/if-there.ts'
import type { Engine } from '../engine.ts'
import { networksOf } from './network-engine.ts'
import { startHelper, stopHelper } from './start-helper.ts'

/** MAX_PORTS of native-bindings/proxy.h. */
const MAX_PORTS = 512
const PROTOCOLS = { tcp: 6, udp: 17 } as const
const STEPS = ['ports', 'session', 'sockets at ::1', 'confinement']
const ADDRESS_SIZE = 16
const LOOPBACK_V6 = `${'0'.repeat(31)}1`

/** Starts it for the ports of the lease that are to be reached at ::1; `init` is a pidfd. */
export function startProxy(engine: Engine, lease: Lease, init: number): void {
  const ports = lease.ports.filter(isAtLoopback).slice(0, MAX_PORTS)
  const hasLoopback = (readTextIfThere('/proc/net/if_inet6') ?? '').includes(LOOPBACK_V6)
  if (ports.length === 0 || !hasLoopback) return
  using wanted = sealedMemfd('tsrun-proxy-ports', encodePorts(lease, ports), false)
  const process = startHelper({
    name: 'tsrun-proxy',
    args: [],
    descriptors: [wanted.fd, init, -1],
    steps: STEPS,
  })
  networksOf(engine).store.proxies.write(
    lease.containerId,
    `process ${process.pid} ${process.startTime}\n`,
  )
}

/** Ends that of the container; none is no error. */
export function stopProxy(engine: Engine, containerId: string): void {
  const { proxies } = networksOf(engine).store
  const [, pid, startTime] = /^process (\d+) (\d+)$/m.exec(proxies.read(containerId) ?? '') ?? []
  if (pid === undefined) return
  stopHelper({ pid: Number(pid), startTime: Number(startTime) })
  proxies.remove(containerId)
}

function isAtLoopback({ protocol, hostIp }: PortMapping): boolean {
  return protocol !== 'sctp' && ['', '::', '::1'].includes(hostIp)
}

/** struct proxy_ports of native-bindings/proxy.h, with as many ports as there are. */
export function encodePorts(
  lease: Pick<Lease, 'ipv4' | 'ipv6'>,
  ports: readonly PortMapping[],
): Buffer {
  const target = parseAddress(lease.ipv6 ?? lease.ipv4 ?? '')
  if (target === undefined) throw new RangeError('a lease has an address')
  const head = Buffer.alloc(4 + ADDRESS_SIZE + 4)
  head.writeUInt32LE(target.bytes.length, 0)
  head.set(target.bytes, 4)
  head.writeUInt32LE(ports.length, 4 + ADDRESS_SIZE)
  const entries = ports.map(({ protocol, hostPort, containerPort }) => {
    const entry = Buffer.alloc(8)
    entry.writeUInt16BE(hostPort, 0)
    entry.writeUInt16BE(containerPort, 2)
    entry.writeUInt32LE(protocol === 'sctp' ? 0 : PROTOCOLS[protocol], 4)
    return entry
  })
  return Buffer.concat([head, ...entries])
}
