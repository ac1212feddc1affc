import { describe, expect, it } from 'vitest'
import { decodeResponse, encodeRequest } from '../../../../src/runtime/criu/messages.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

describe('encodeRequest()', () => {
  it('has the numbers of rpc.proto', () => {
    expect(encodeRequest('version', { keepOpen: true })).toEqual(hex('08 0a 20 01'))
    expect(encodeRequest('notify', { notifySuccess: true })).toEqual(hex('08 06 18 01'))
    const options = { imagesDirFd: 5, root: '/r', externalMounts: [{ key: 'a', val: 'b' }] }
    expect(encodeRequest('dump', { options })).toEqual(
      hex('08 01 12 0f 08 05 6a 02 2f72 ba 01 06 0a 01 61 12 01 62'),
    )
  })
})

describe('decodeResponse()', () => {
  it('reads a notification', () => {
    const response = decodeResponse(
      hex('08 06 10 01 2a 0e 0a 09 706f73742d64756d70 10 9601'.replace('0e', '0e')),
    )
    expect(response).toMatchObject({ type: 'notify', success: true, script: 'post-dump', pid: 150 })
  })

  it('reads the version, the pid of a restore, an error', () => {
    expect(decodeResponse(hex('08 0a 10 01 52 06 08 03 10 11 20 01')).version).toBe(31701)
    expect(decodeResponse(hex('08 02 10 01 22 02 08 07'))).toMatchObject({
      type: 'restore',
      pid: 7,
    })
    expect(decodeResponse(hex('08 01 10 00 38 0d 4a 02 6e6f'))).toMatchObject({
      type: 'dump',
      success: false,
      errno: 13,
      message: 'no',
    })
  })

  it.each(['', '08 63', '08', 'ff'])('refuses %j', (bytes) => {
    expect(() => decodeResponse(hex(bytes))).toThrow('cannot understand criu')
  })
})
