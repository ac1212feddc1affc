/** --network in all forms, and the files that follow from it. */
import { describe, expect, it } from 'vitest'
import { ownHosts, parseAddHost, withEntries } from '../../../src/network/hosts-file.ts'
import { parseNetworkMode } from '../../../src/network/network-option.ts'
import { checkNetworkName } from '../../../src/network/network-store.ts'
import { checkDnsOptions, containerResolvConf } from '../../../src/network/resolv-conf.ts'

const mode = (networks: string[], more = {}) => parseNetworkMode({ networks, aliases: [], ...more })

describe('parseNetworkMode()', () => {
  it('reads modes, names and fields', () => {
    expect(mode([])).toEqual({ kind: 'networks', attachments: [{ network: 'bridge' }] })
    expect(mode(['default'])).toEqual(mode(['bridge']))
    expect(mode(['host'])).toEqual({ kind: 'host' })
    expect(mode(['container:web'])).toEqual({ kind: 'container', container: 'web' })
    expect(mode(['ns:/run/netns/a'])).toEqual({ kind: 'path', path: '/run/netns/a' })
    expect(
      mode(['name=a,alias=x,alias=y,ip=10.0.0.2,ip6=fd00::2,mac-address=02:42:0a:00:00:02', 'b']),
    ).toEqual({
      kind: 'networks',
      attachments: [
        {
          network: 'a',
          aliases: ['x', 'y'],
          ipv4: '10.0.0.2',
          ipv6: 'fd00::2',
          mac: '02:42:0a:00:00:02',
        },
        { network: 'b' },
      ],
    })
    expect(mode(['a', 'b'], { aliases: ['web'], ipv4: '10.0.0.9' })).toEqual({
      kind: 'networks',
      attachments: [
        { network: 'a', aliases: ['web'], ipv4: '10.0.0.9' },
        { network: 'b', aliases: ['web'] },
      ],
    })
  })

  it('refuses all else with one sentence', () => {
    for (const networks of [
      ['none', 'a'],
      ['host', 'host'],
      ['container:'],
      ['ns:relative'],
      ['alias=x'],
      ['name='],
      ['name=a,what=b'],
      ['name=a,ip=fd00::1'],
      ['name=a,ip6=10.0.0.1'],
      ['name=a,mac-address=zz'],
      ['name=a,alias=x y'],
      ['name=a,alias=-x'],
      ['cni:'],
    ])
      expect(() => mode(networks), networks.join()).toThrow(/^cannot use the network "/)
    expect(() => mode(['none'], { aliases: ['x'] })).toThrow('--network-alias needs a network')
  })

  it('lets no name out of what it is written into', () => {
    for (const name of [
      '',
      'a b',
      'a;b',
      '"; flush ruleset',
      '../up',
      'a/b',
      '.hidden',
      'x'.repeat(129),
      'a\nb',
    ])
      expect(() => checkNetworkName(name), name).toThrow('cannot use the network name')
  })
})

describe('/etc/hosts', () => {
  it('has what was added, and addresses that come and go', () => {
    const own = ownHosts('127.0.0.1\tlocalhost\n', [parseAddHost('db:host-gateway', '10.0.0.1')])
    expect(own).toBe('127.0.0.1\tlocalhost\n10.0.0.1\tdb\n')
    const entry = { address: '10.0.0.3', names: ['web', 'www'] }
    const one = withEntries(own, [], [entry])
    expect(one).toBe(`${own}10.0.0.3\tweb www\n`)
    const edited = `${one}1.2.3.4\tadded-by-a-program`
    expect(withEntries(edited, [entry], [])).toBe(`${own}1.2.3.4\tadded-by-a-program\n`)
    expect(parseAddHost('v6=[fd00::1]', undefined)).toEqual({ address: 'fd00::1', names: ['v6'] })
    for (const text of ['', 'x', ':1.2.3.4', 'x:', 'x:y', 'a b:1.2.3.4', 'x:host-gateway'])
      expect(() => parseAddHost(text, undefined), text).toThrow('cannot use --add-host')
  })
})

describe('containerResolvConf()', () => {
  const none = { servers: [], search: [], options: [] }

  it('leaves out what the container cannot reach', () => {
    const host = 'nameserver 127.0.0.53\nnameserver 9.9.9.9 # x\noptions edns0\nsearch a b\n'
    expect(containerResolvConf(host, none, true)).toBe(
      'nameserver 9.9.9.9\nsearch a b\noptions edns0\n',
    )
    expect(containerResolvConf('nameserver ::1\n', none, true)).toBe(
      'nameserver 8.8.8.8\nnameserver 8.8.4.4\n',
    )
    expect(containerResolvConf('nameserver 127.0.0.53\n', none, false)).toBe(
      'nameserver 127.0.0.53\n',
    )
  })

  it('takes what the user gave, and survives a broken file', () => {
    const given = { servers: ['1.1.1.1'], search: ['.'], options: ['ndots:5'] }
    expect(
      containerResolvConf('\0\xff nameserver\nnameserver\nnameserver x y\nsearch', given, true),
    ).toBe('nameserver 1.1.1.1\noptions ndots:5\n')
    expect(() => checkDnsOptions({ ...none, servers: ['x'] })).toThrow('cannot use --dns "x"')
    expect(() => checkDnsOptions({ ...none, search: ['a\nnameserver 6.6.6.6'] })).toThrow(
      '--dns-search',
    )
  })
})
