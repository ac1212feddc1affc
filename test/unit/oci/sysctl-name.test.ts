import { describe, expect, it } from 'vitest'
import { sysctlFile, sysctlNamespace } from '../../../src/oci/sysctl-name.ts'

describe('sysctlFile()', () => {
  it.each([
    ['net.ipv4.ip_forward', 'net/ipv4/ip_forward'],
    ['net/ipv4/conf/eth0.100/forwarding', 'net/ipv4/conf/eth0.100/forwarding'],
    ['net.ipv4.conf.eth0/100.forwarding', 'net/ipv4/conf/eth0.100/forwarding'],
    ['kernel.shmmax', 'kernel/shmmax'],
    ['../x', undefined],
    ['a/../b', undefined],
    ['a.b/..', undefined],
    ['a..b', undefined],
    ['/a', undefined],
    ['a.b\0', undefined],
    ['', undefined],
  ])('maps %j to %s', (name, file) => {
    expect(sysctlFile(name)).toBe(file)
  })
})

describe('sysctlNamespace()', () => {
  it('knows the owner', () => {
    expect(sysctlNamespace('net/core/somaxconn')).toBe('network')
    expect(sysctlNamespace('kernel.sem')).toBe('ipc')
    expect(sysctlNamespace('fs.mqueue.msg_max')).toBe('ipc')
    expect(sysctlNamespace('kernel.domainname')).toBe('uts')
    expect(sysctlNamespace('user.max_user_namespaces')).toBe('user')
    expect(sysctlNamespace('vm.swappiness')).toBeUndefined()
    expect(sysctlNamespace('network.x')).toBeUndefined()
  })
})
