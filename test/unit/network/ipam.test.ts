/** Addresses are given once, in turn, and not beside the network's own. */
import { describe, expect, it } from 'vitest'
import { checkSubnet, chooseV4, chooseV6 } from '../../../src/network/choose-subnet.ts'
import { parseSubnet } from '../../../src/network/ip-address.ts'
import { giveAddresses, macFor } from '../../../src/network/ipam.ts'
import {
  type LeaseBook,
  type NetworkRecord,
  NO_LEASES,
} from '../../../src/network/network-record.ts'

const network = (subnets: NetworkRecord['subnets']): NetworkRecord => ({
  version: 1,
  id: '0'.repeat(64),
  name: 'web',
  driver: 'bridge',
  createdAt: '',
  internal: false,
  subnets,
  interface: 'br0',
  labels: {},
  options: {},
})

const SMALL = network([{ subnet: '10.9.0.0/29', gateway: '10.9.0.1' }])

function take(book: LeaseBook, containerId: string, wanted = {}): LeaseBook {
  const { next, ...addresses } = giveAddresses(SMALL, book, wanted)
  const lease = {
    containerId,
    containerName: containerId,
    aliases: [],
    hostInterface: '',
    mac: '',
    ports: [],
    ...addresses,
  }
  return { version: 1, next, leases: [...book.leases, lease] }
}

describe('giveAddresses()', () => {
  it('gives each address but network, broadcast and gateway once, and then names the network', () => {
    let book = NO_LEASES
    for (const name of ['a', 'b', 'c', 'd', 'e']) book = take(book, name)
    expect(book.leases.map(({ ipv4 }) => ipv4)).toEqual([
      '10.9.0.2',
      '10.9.0.3',
      '10.9.0.4',
      '10.9.0.5',
      '10.9.0.6',
    ])
    expect(() => take(book, 'f')).toThrow(
      'cannot find an address in the network "web": all of 10.9.0.0/29 are taken',
    )
    const freed = { ...book, leases: book.leases.filter(({ containerId }) => containerId !== 'c') }
    expect(take(freed, 'g').leases.at(-1)?.ipv4).toBe('10.9.0.4')
  })

  it('lets an address rest that was just given back', () => {
    const book = take(NO_LEASES, 'a')
    expect(take({ ...book, leases: [] }, 'b').leases[0]?.ipv4).toBe('10.9.0.3')
  })

  it('gives the wanted one, or says who has it', () => {
    const book = take(NO_LEASES, 'a', { ipv4: '10.9.0.5' })
    expect(book.leases[0]?.ipv4).toBe('10.9.0.5')
    expect(() => take(book, 'b', { ipv4: '10.9.0.5' })).toThrow('it belongs to container a')
    expect(() => take(book, 'b', { ipv4: '10.9.0.1' })).toThrow('it belongs to its gateway')
    expect(() => take(book, 'b', { ipv4: '10.9.0.7' })).toThrow('it stands for the subnet itself')
    expect(() => take(book, 'b', { ipv4: '10.9.1.7' })).toThrow('its subnets are 10.9.0.0/29')
    expect(() => take(book, 'b', { ipv6: 'fd00::9' })).toThrow('its subnets are 10.9.0.0/29')
  })

  it('gives one of each family, from the range', () => {
    const dual = network([
      { subnet: '10.9.0.0/24', gateway: '10.9.0.1', ipRange: '10.9.0.128/25' },
      { subnet: 'fd00:9::/64', gateway: 'fd00:9::1' },
    ])
    const given = giveAddresses(dual, NO_LEASES, {})
    expect(given).toMatchObject({ ipv4: '10.9.0.128', ipv6: 'fd00:9::2' })
    expect(macFor(given)).toBe('02:42:0a:09:00:80')
  })
})

describe('subnets of networks', () => {
  const taken = (text: string) => ({ subnet: parseSubnet(text) as never, by: 'the network "old"' })

  it('chooseV4() goes around what is there', () => {
    expect(chooseV4([]).subnet).toBe('10.208.0.0/20')
    expect(chooseV4([taken('10.208.0.0/19')])).toEqual({
      subnet: '10.208.32.0/20',
      gateway: '10.208.32.1',
    })
    expect(() => chooseV4([taken('10.0.0.0/8')])).toThrow('cannot find a free subnet')
  })

  it('chooseV6() gives a unique local subnet', () => {
    expect(chooseV6('a', []).subnet).toMatch(/^fd[0-9a-f]{2}:.*::\/64$/)
    expect(chooseV6('a', [])).toEqual(chooseV6('a', []))
  })

  it('checkSubnet() refuses overlaps and what is none', () => {
    expect(checkSubnet({ subnet: '10.9.0.0/24' }, [])).toEqual({
      subnet: '10.9.0.0/24',
      gateway: '10.9.0.1',
    })
    expect(() => checkSubnet({ subnet: '10.208.1.0/24' }, [taken('10.208.0.0/20')])).toThrow(
      'cannot use the subnet "10.208.1.0/24": it overlaps 10.208.0.0/20 of the network "old"',
    )
    for (const subnet of [
      '10.9.0.1/24',
      '10.9.0.0/31',
      '10.9.0.0',
      '10.9.0.0/24; drop',
      '0.0.0.0/0',
    ])
      expect(() => checkSubnet({ subnet }, []), subnet).toThrow('cannot use the subnet')
  })
})
