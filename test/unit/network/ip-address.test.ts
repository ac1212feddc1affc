/** Addresses as text and as numbers. */
import { describe, expect, it } from 'vitest'
import {
  addressAt,
  contains,
  formatAddress,
  formatSubnet,
  networkOf,
  overlaps,
  parseAddress,
  parseSubnet,
} from '../../../src/network/ip-address.ts'

const subnet = (text: string) => {
  const parsed = parseSubnet(text)
  if (parsed === undefined) throw new Error(text)
  return parsed
}

describe('parseAddress()', () => {
  it('reads what formatAddress() writes', () => {
    for (const text of [
      '0.0.0.0',
      '10.208.0.1',
      '::',
      '::1',
      'fd00::1',
      '2001:db8::1:0:0:1',
      'fe80::42:aff:fed0:8',
      '1:2:3:4:5:6:7:8',
    ])
      expect(formatAddress(parseAddress(text) as never)).toBe(text)
    expect(formatAddress(parseAddress('::ffff:10.0.0.1') as never)).toBe('::ffff:a00:1')
    expect(formatAddress(parseAddress('1:0:0:0:0:0:0:0') as never)).toBe('1::')
  })

  it('refuses all else', () => {
    for (const text of [
      '',
      '1',
      '1.2.3',
      '1.2.3.4.5',
      '256.0.0.1',
      '01.2.3.4',
      '1.2.3.4 ',
      ':::',
      '1::2::3',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      'g::',
      '12345::',
      'fe80::1%eth0',
      '::1.2.3',
      '1:2:3:4:5:6:7::8',
    ])
      expect(parseAddress(text), text).toBeUndefined()
    for (const text of [
      '10.0.0.0',
      '10.0.0.0/33',
      '10.0.0.0/-1',
      '10.0.0.0/08',
      '::/129',
      '/8',
      '10.0.0.0/8/8',
    ])
      expect(parseSubnet(text), text).toBeUndefined()
  })
})

describe('subnets', () => {
  it('count and compare', () => {
    expect(formatSubnet(networkOf(subnet('10.9.8.7/20')))).toBe('10.9.0.0/20')
    expect(formatAddress(addressAt(subnet('10.9.0.0/20'), 4094n))).toBe('10.9.15.254')
    expect(formatAddress(addressAt(subnet('fd00::/64'), 1n))).toBe('fd00::1')
    expect(contains(subnet('10.9.0.0/20'), parseAddress('10.9.16.0') as never)).toBe(false)
    expect(contains(subnet('0.0.0.0/0'), parseAddress('::1') as never)).toBe(false)
    expect(overlaps(subnet('10.0.0.0/8'), subnet('10.208.0.0/20'))).toBe(true)
    expect(overlaps(subnet('10.208.16.0/20'), subnet('10.208.0.0/20'))).toBe(false)
  })
})
