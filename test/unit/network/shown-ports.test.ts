import { describe, expect, it } from 'vitest'
import { describePorts, portsOf, withExposed } from '../../../src/network/shown-ports.ts'

const tcp = (containerPort: number, hostPort?: number, hostIp = hostPort ? '0.0.0.0' : '') => ({
  protocol: 'tcp' as const,
  containerPort,
  hostIp,
  ...(hostPort === undefined ? {} : { hostPort }),
})

describe('describePorts()', () => {
  it('joins neighbours into ranges and leaves moved ports alone', () => {
    expect(describePorts([tcp(81, 81), tcp(80, 80), tcp(83, 83)])).toBe(
      '0.0.0.0:80-81->80-81/tcp, 0.0.0.0:83->83/tcp',
    )
    expect(describePorts([tcp(80, 8080), tcp(81, 8081)])).toBe(
      '0.0.0.0:8080->80/tcp, 0.0.0.0:8081->81/tcp',
    )
    expect(describePorts([tcp(2), tcp(1), { ...tcp(3), protocol: 'udp' }])).toBe('1-2/tcp, 3/udp')
    expect(describePorts([])).toBe('')
  })

  it('keeps published and exposed ones apart', () => {
    expect(describePorts([tcp(80, 80), tcp(81)])).toBe('0.0.0.0:80->80/tcp, 81/tcp')
  })
})

describe('portsOf()', () => {
  const port = { protocol: 'tcp', hostIp: '', hostPort: 8080, containerPort: 80 } as const

  it('shows the families that the container has', () => {
    const ips = (lease: { ipv4?: string; ipv6?: string }) =>
      portsOf({ ...lease, ports: [port] }).map(({ hostIp }) => hostIp)
    expect(ips({ ipv4: '10.0.0.2' })).toEqual(['0.0.0.0'])
    expect(ips({ ipv4: '10.0.0.2', ipv6: 'fd00::2' })).toEqual(['0.0.0.0', '::'])
  })
})

describe('withExposed()', () => {
  it('adds each exposed port once and no published one', () => {
    const all = withExposed([tcp(80, 8080)], [tcp(80), tcp(443), tcp(443)])
    expect(all.map(({ containerPort }) => containerPort)).toEqual([80, 443])
  })
})
