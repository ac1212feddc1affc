/** Every kind of `--network` by the same suite (test/contracts/network-contract.ts). */
import { afterAll, beforeAll, describe } from 'vitest'
import { type NetworkKind, networkContract } from '../contracts/network-contract.ts'
import { HOST_V4, NetworkHost, OUTSIDE_V4, OUTSIDE_V6 } from '../support/network-host.ts'
import { missing } from '../support/requires.ts'

describe.skipIf(missing('root', 'command:ip'))('every kind of network', () => {
  let net: NetworkHost
  let pid = ''
  const contract = (name: string, kind: NetworkKind): void => networkContract(name, () => net, kind)

  beforeAll(async () => {
    net = await NetworkHost.make()
    net.tsrun('network', 'create', '--ipv6', 'own')
    net.tsrun('network', 'create', '--internal', 'closed')
    net.tsrun('run', '-d', '--name', 'lender', '--network', 'own', 'busybox', 'sleep', '1000')
    pid = net.tsrun('inspect', '-f', '{{.State.Pid}}', 'lender')
  })
  afterAll(() => net[Symbol.dispose]())

  contract('none', {
    options: () => ['--network', 'none'],
    namespace: 'own',
    reaches: ['127.0.0.1', '::1'],
    misses: [HOST_V4],
  })
  contract('host', {
    options: () => ['--network', 'host'],
    namespace: () => net.host.path,
    address: new RegExp(`up0 +inet ${HOST_V4}/24`),
    reaches: [HOST_V4, OUTSIDE_V4, OUTSIDE_V6],
    misses: [],
  })
  contract('container:NAME', {
    options: () => ['--network', 'container:lender'],
    namespace: () => `/proc/${pid}/ns/net`,
    address: /eth0 +inet 10\./,
    reaches: ['lender', OUTSIDE_V4],
    misses: [],
  })
  contract('ns:PATH', {
    options: () => ['--network', `ns:${net.outside.path}`],
    namespace: () => net.outside.path,
    address: new RegExp(`eth0 +inet ${OUTSIDE_V4}/24`),
    reaches: [HOST_V4],
    misses: [],
  })
  contract('bridge', {
    options: () => ['--network', 'bridge', '-p', '80'],
    namespace: 'own',
    address: /eth0 +inet 10\./,
    reaches: [HOST_V4, OUTSIDE_V4],
    misses: ['lender'],
  })
  contract('a network of one’s own', {
    options: () => ['--network', 'own'],
    namespace: 'own',
    address: /eth0 +inet 10\.[\s\S]*eth0 +inet6 fd/,
    reaches: ['lender', HOST_V4, OUTSIDE_V4, OUTSIDE_V6],
    misses: [],
  })
  contract('an internal one', {
    options: () => ['--network', 'closed'],
    namespace: 'own',
    address: /eth0 +inet 10\./,
    reaches: [],
    misses: ['lender', HOST_V4, OUTSIDE_V4],
  })
})
