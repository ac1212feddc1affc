import { describe, expect, it } from 'vitest'
import { reachableServers } from '../../../src/engine/resolv-conf.ts'

const STUB = 'nameserver 127.0.0.53\noptions edns0\nsearch lan\n'

describe('reachableServers()', () => {
  it('leaves a list without the loopback as it is', () => {
    const text = '# made by hand\nnameserver 10.0.0.1\nnameserver 2001:db8::1\nsearch lan\n'
    expect(reachableServers(text, 'nameserver 9.9.9.9\n')).toBe(text)
  })

  it('leaves out servers that only the host reaches', () => {
    const text = 'nameserver 127.0.0.1\nnameserver ::1\nnameserver 10.0.0.1\n'
    expect(reachableServers(text, undefined)).toBe('nameserver 10.0.0.1\n')
  })

  it('asks those that the stub asks', () => {
    expect(reachableServers(STUB, 'nameserver 192.168.1.1\n')).toBe('nameserver 192.168.1.1\n')
    expect(reachableServers(STUB, undefined)).toBe('options edns0\nsearch lan\n')
  })
})
