import { describe, expect, it } from 'vitest'
import { isTarHeader } from '../../../src/archive/is-tar-header.ts'
import { buildTar, file } from '../../support/tar-builder.ts'

describe('isTarHeader()', () => {
  it('knows a tar of any kind', () => {
    expect(isTarHeader(buildTar([file('a', 'b')]))).toBe(true)
    expect(isTarHeader(buildTar([file('ä'.repeat(90))]))).toBe(true)
  })

  it('takes checksums of signed bytes', () => {
    const tar = buildTar([file('a')])
    tar[0] = 0xff
    tar.fill(0x20, 148, 156)
    const sum = [...tar.subarray(0, 512)].reduce((all, byte) => all + ((byte << 24) >> 24), 0)
    tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
    expect(isTarHeader(tar)).toBe(true)
  })

  it('refuses everything else', () => {
    expect(isTarHeader(Buffer.alloc(1024))).toBe(false)
    expect(isTarHeader(buildTar([]))).toBe(false)
    expect(isTarHeader(buildTar([file('a')]).subarray(0, 511))).toBe(false)
    expect(isTarHeader(Buffer.from('text\n'.repeat(200)))).toBe(false)
    const damaged = buildTar([file('a')])
    damaged[0] = 0x62
    expect(isTarHeader(damaged)).toBe(false)
  })
})
