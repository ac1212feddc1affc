/** rtnetlink messages against bytes that the kernel and iproute2 exchange, and torn ones. */
import { describe, expect, it } from 'vitest'
import { decodeMessages, encodeRequest, endOfAnswer } from '../../../src/linux/netlink-message.ts'
import {
  addAddress,
  decodeAddress,
  decodeLink,
  dumpLinks,
  isLasting,
  moveLink,
  setLinkUp,
} from '../../../src/linux/rtnetlink.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex')

describe('encodeRequest()', () => {
  it('lays out header, body and aligned attributes', () => {
    expect(encodeRequest(dumpLinks(), 7).toString('hex')).toBe(
      hex('20000000 1200 0103 07000000 00000000 00000000000000000000000000000000').toString('hex'),
    )
    expect(encodeRequest(setLinkUp(3), 1).subarray(16).toString('hex')).toBe(
      hex('00000000 03000000 01000000 01000000').toString('hex'),
    )
    expect(
      encodeRequest(moveLink(3, 'eth0', 9), 1)
        .subarray(32)
        .toString('hex'),
    ).toBe(hex('0900 0300 6574683000 000000 0800 1c00 09000000').toString('hex'))
  })

  it('carries an address over to another interface', () => {
    const original = hex(
      '02188000 02000000 0800 0100 0a000001 0800 0200 0a000001 0800 0800 80000000',
    )
    const address = decodeAddress({ type: 20, sequence: 1, payload: original })
    expect(address).toMatchObject({ index: 2, family: 2, prefixLength: 24, scope: 0, flags: 0x80 })
    if (address === undefined) throw new Error('no address')
    expect(isLasting(address)).toBe(true)
    expect(isLasting({ ...address, scope: 253 })).toBe(false)
    expect(isLasting({ ...address, flags: 0 })).toBe(false)
    expect(addAddress(5, address).payload.toString('hex')).toBe(
      hex('02180000 05000000 0800 0100 0a000001 0800 0200 0a000001 0800 0800 80000000').toString(
        'hex',
      ),
    )
  })
})

describe('decodeMessages()', () => {
  const message = hex('14000000 0300 0000 05000000 00000000 00000000')

  it('splits a datagram and finds its end', () => {
    const [first, second] = decodeMessages(Buffer.concat([message, message]))
    expect(second).toMatchObject({ type: 3, sequence: 5 })
    expect(first && endOfAnswer(first)).toBe(0)
    const refused = hex('14000000 0200 0000 05000000 00000000 ffffffff')
    expect(decodeMessages(refused).map(endOfAnswer)).toEqual([1])
    expect(endOfAnswer({ type: 16, sequence: 1, payload: Buffer.alloc(0) })).toBeUndefined()
  })

  it.each([
    '',
    '14',
    '00000000 0300 0000 05000000 00000000',
    'ffffffff 0300 0000 05000000 00000000',
  ])('leaves out what is torn: %j', (bytes) => {
    expect(decodeMessages(hex(bytes))).toEqual([])
  })

  it('does not read past torn attributes', () => {
    const head = '00000000 03000000 00000000 00000000'
    for (const attributes of ['', '0800', 'ff00 0300 6574', '0000 0300', '0300 0300'])
      expect(decodeLink({ type: 16, sequence: 1, payload: hex(head + attributes) })).toBeUndefined()
    expect(
      decodeLink({ type: 16, sequence: 1, payload: hex(`${head} 0900 0300 6574683000`) }),
    ).toEqual({ index: 3, name: 'eth0' })
  })
})
