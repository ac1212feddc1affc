import { describe, expect, it } from 'vitest'
import { parsePageServer } from '../../../../src/cli/oci/checkpoint.ts'

describe('parsePageServer()', () => {
  it.each([
    ['127.0.0.1:27277', { address: '127.0.0.1', port: 27277 }],
    ['host.example:1', { address: 'host.example', port: 1 }],
    ['[::1]:65535', { address: '::1', port: 65535 }],
  ])('%s', (text, expected) => {
    expect(parsePageServer(text)).toEqual(expected)
  })

  it('may be absent', () => {
    expect(parsePageServer(undefined)).toBeUndefined()
  })

  it.each(['host', 'host:', ':1', 'host:0', 'host:65536', '::1:5', 'host:1x', '[]:1'])(
    'refuses %j',
    (text) => {
      expect(() => parsePageServer(text)).toThrow('Use --page-server ADDRESS:PORT')
    },
  )
})
