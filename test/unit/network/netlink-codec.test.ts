/** Answers of rtnetlink, torn and hostile ones too; that requests are right the kernel says in test/integration/network.test.ts. */
import { describe, expect, it } from 'vitest'
import { attributesOf, decodeMessages } from '../../../src/linux/netlink-message.ts'
import { formatSubnet, parseAddress } from '../../../src/network/ip-address.ts'
import {
  assignAddress,
  decodeLinkDetails,
  decodeRoute,
  formatMac,
  newVeth,
  parseMac,
} from '../../../src/network/netlink-codec.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex')
const RTM_NEWLINK = 16
const RTM_NEWROUTE = 24

describe('decodeRoute()', () => {
  it('reads a route of the main table', () => {
    // 10.9.0.0/16 dev 3, as ip route add makes it.
    const payload = hex('02 10 00 00 fe 04 fd 01 00000000  0800 0100 0a090000  0800 0400 03000000')
    const route = decodeRoute({ type: RTM_NEWROUTE, sequence: 1, payload })
    expect(route?.destination && formatSubnet(route.destination)).toBe('10.9.0.0/16')
    expect(route).toMatchObject({ interfaceIndex: 3, family: 4, gateway: undefined })
  })

  it('leaves out other tables and kinds', () => {
    const local = hex('02 20 00 00 ff 02 fe 02 00000000  0800 0100 7f000001')
    expect(decodeRoute({ type: RTM_NEWROUTE, sequence: 1, payload: local })).toBeUndefined()
  })
})

describe('newVeth()', () => {
  it('puts the peer with its name, address and namespace inside', () => {
    const { payload } = newVeth(
      { name: 'veth0' },
      { name: 'eth0', mac: '02:42:0a:00:00:02', namespace: 9 },
      4,
    )
    const info = attributesOf(attributesOf(payload.subarray(16)).get(18) ?? Buffer.alloc(0))
    const peer = attributesOf(info.get(2) ?? Buffer.alloc(0)).get(1) ?? Buffer.alloc(0)
    const inside = attributesOf(peer.subarray(16))
    expect(inside.get(3)?.toString()).toBe('eth0\0')
    expect(inside.get(1)?.toString('hex')).toBe('02420a000002')
    expect(inside.get(28)?.readUInt32LE(0)).toBe(9)
    // veth_open() fails before the pair knows itself: no end of the peer is made up.
    expect(peer.readUInt32LE(8)).toBe(0)
  })
})

describe('assignAddress()', () => {
  it('adds the broadcast address of IPv4 and skips the search for duplicates of IPv6', () => {
    const v4 = attributesOf(
      assignAddress(2, parseAddress('10.9.8.7') as never, 20).payload.subarray(8),
    )
    expect(v4.get(4)?.toString('hex')).toBe('0a090fff')
    const v6 = attributesOf(
      assignAddress(2, parseAddress('fd00::2') as never, 64).payload.subarray(8),
    )
    expect((v6.get(8)?.readUInt32LE(0) ?? 0) & 2).toBe(2)
  })
})

describe('parseMac()', () => {
  it('takes addresses of one interface only', () => {
    expect(formatMac(parseMac('02-42-AC-11-00-02') ?? Buffer.alloc(0))).toBe('02:42:ac:11:00:02')
    for (const text of [
      '',
      '02:42',
      '01:00:5e:00:00:01',
      'ff:ff:ff:ff:ff:ff',
      '00:00:00:00:00:00',
      '02:42:ac:11:00:0g',
    ])
      expect(parseMac(text), text).toBeUndefined()
  })
})

describe('decoders', () => {
  it('survive every torn and random message', () => {
    let state = 42
    const random = (): number => {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
      return state >> 8
    }
    for (let round = 0; round < 1500; round++) {
      const bytes = Buffer.from(Array.from({ length: random() % 120 }, () => random() & 0xff))
      if (round % 2 === 0 && bytes.length > 20) bytes.writeUInt32LE(bytes.length, 0)
      // Whatever it says of lengths, nothing is read beyond its end.
      if (decodeMessages(bytes).some(({ payload }) => payload.length > bytes.length))
        throw new Error(bytes.toString('hex'))
      for (const type of [RTM_NEWLINK, RTM_NEWROUTE]) {
        const message = { type, sequence: 1, payload: bytes }
        decodeLinkDetails(message)
        decodeRoute(message)
      }
    }
    expect(decodeMessages(Buffer.alloc(0))).toEqual([])
  })
})
