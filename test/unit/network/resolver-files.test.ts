import { describe, expect, it } from 'vitest'
import { parseAddress } from '../../../src/network/ip-address.ts'
import { forwardServers, resolverConf } from '../../../src/network/resolv-conf.ts'
import { namesText, resolverOf, settingsText } from '../../../src/network/resolver-files.ts'

const lease = {
  containerId: '0123456789abcdef',
  containerName: 'Web',
  aliases: ['www', 'www'],
  hostInterface: 'veth0',
  ipv4: '10.0.0.2',
  mac: '',
  ports: [],
}

describe('namesText()', () => {
  it('has each name once, alone and with the network, and its own name first', () => {
    expect(namesText('App', [lease])).toBe(
      ['web.app', 'web', 'www.app', 'www', '0123456789ab.app', '0123456789ab']
        .map((name) => `${name} 0a000002 -\n`)
        .join(''),
    )
  })

  it('leaves out what could break a line', () => {
    const hostile = { ...lease, containerName: 'a b\nx 01020304 -', aliases: [] }
    expect(namesText('app', [hostile])).toBe(
      '0123456789ab.app 0a000002 -\n0123456789ab 0a000002 -\n',
    )
  })
})

describe('settingsText()', () => {
  it('has servers, networks in order, and the process, which resolverOf() reads', () => {
    const servers = ['127.0.0.53', '::1'].flatMap((text) => parseAddress(text) ?? [])
    const process = { pid: 12, startTime: 345 }
    const text = settingsText({ servers, networks: ['b', 'a'], process })
    expect(text).toBe(
      `forward 7f000035\nforward ${'0'.repeat(31)}1\nnetwork b\nnetwork a\nprocess 12 345\n`,
    )
    expect(resolverOf(text)).toEqual(process)
    expect(resolverOf('process x y\n')).toBeUndefined()
  })
})

describe('resolverConf()', () => {
  const none = { servers: [], search: [], options: [] }
  const host = 'nameserver 127.0.0.53\nsearch example.org\noptions edns0 ndots:5\n'

  it('names the resolver alone and asks for names as they are', () => {
    expect(resolverConf(host, none)).toBe(
      'nameserver 127.0.0.11\nsearch example.org\noptions edns0 ndots:0\n',
    )
    expect(resolverConf('', none)).toBe('nameserver 127.0.0.11\noptions ndots:0\n')
  })

  it('leaves out what is no word of such a file', () => {
    const broken = 'nameserver \xff\nsearch a\u0000b "c" d\noptions \u0001 rotate\n\u0002\n'
    expect(resolverConf(broken, none)).toBe(
      'nameserver 127.0.0.11\nsearch d\noptions rotate ndots:0\n',
    )
  })

  it('keeps what the user gave', () => {
    const given = { servers: ['192.0.2.1'], search: ['.'], options: ['ndots:2'] }
    expect(resolverConf(host, given)).toBe('nameserver 127.0.0.11\noptions ndots:2\n')
  })

  it('forwards to what the user gave, or to the host’s servers, loopback ones too', () => {
    const asked = (text: string, servers: string[]) =>
      forwardServers(text, { ...none, servers }).map(({ bytes }) => [...bytes].join('.'))
    expect(asked(host, [])).toEqual(['127.0.0.53'])
    expect(asked(host, ['192.0.2.1'])).toEqual(['192.0.2.1'])
    expect(asked('nameserver nonsense\n', [])).toEqual(['8.8.8.8', '8.8.4.4'])
  })
})
