import { describe, expect, it } from 'vitest'
import {
  choosePlatform,
  formatPlatform,
  hostPlatform,
  parsePlatform,
  platformMatches,
  platformPreferences,
} from '../../../src/oci/platform.ts'

const HOST = hostPlatform('x64')
const parse = (text: string) => parsePlatform(text, HOST)

describe('platform', () => {
  it.each([
    ['linux/amd64', 'linux/amd64'],
    ['amd64', 'linux/amd64'],
    ['x86_64', 'linux/amd64'],
    ['Linux/AARCH64', 'linux/arm64'],
    ['arm64/v8', undefined],
    ['linux/arm64/v8', 'linux/arm64'],
    ['linux/arm64/8', 'linux/arm64'],
    ['linux/arm', 'linux/arm/v7'],
    ['linux/armhf', 'linux/arm/v7'],
    ['armel', 'linux/arm/v6'],
    ['linux', 'linux/amd64'],
    ['windows', 'windows/amd64'],
    ['linux/amd64/v3', 'linux/amd64/v3'],
    ['', undefined],
    ['linux/', undefined],
    ['linux/vax', undefined],
    ['plan10/amd64', undefined],
    ['linux/arm/v7/x', undefined],
    ['linux/../x', undefined],
    ['linux/toString', undefined],
  ])('parsePlatform() reads %j as %s', (text, expected) => {
    if (expected === undefined) expect(() => parse(text)).toThrow(/^cannot use platform /)
    else expect(formatPlatform(parse(text))).toBe(expected)
  })

  it('hostPlatform() translates the names of Node', () => {
    expect(hostPlatform('arm64')).toEqual({ os: 'linux', architecture: 'arm64' })
    expect(hostPlatform('arm')).toEqual({ os: 'linux', architecture: 'arm', variant: 'v7' })
  })

  it('platformPreferences() goes down the variants', () => {
    const names = (text: string) => platformPreferences(parse(text)).map(formatPlatform)
    expect(names('linux/arm/v7')).toEqual(['linux/arm/v7', 'linux/arm/v6', 'linux/arm/v5'])
    expect(names('linux/arm64')).toEqual([
      'linux/arm64',
      'linux/arm/v8',
      'linux/arm/v7',
      'linux/arm/v6',
      'linux/arm/v5',
    ])
    expect(names('linux/amd64/v2')).toEqual(['linux/amd64/v2', 'linux/amd64', 'linux/386'])
    expect(names('linux/s390x')).toEqual(['linux/s390x'])
    expect(names('linux/arm/hard')).toEqual(['linux/arm/hard'])
  })

  it('platformMatches() does not run newer variants on older machines', () => {
    expect(platformMatches(parse('linux/arm/v6'), parse('linux/arm/v7'))).toBe(false)
    expect(platformMatches(parse('linux/arm/v7'), parse('linux/arm/v6'))).toBe(true)
    expect(platformMatches(parse('linux/amd64'), parse('windows/amd64'))).toBe(false)
  })

  it('choosePlatform() takes the best, then an entry without platform', () => {
    const entry = (text: string) => ({ platform: parse(text), text })
    const entries = [entry('linux/arm/v5'), entry('linux/arm/v7'), entry('linux/arm64/v8')]
    expect(choosePlatform(parse('linux/arm64'), entries)?.text).toBe('linux/arm64/v8')
    expect(choosePlatform(parse('linux/arm/v7'), entries)?.text).toBe('linux/arm/v7')
    expect(choosePlatform(parse('linux/arm/v6'), entries)?.text).toBe('linux/arm/v5')
    expect(choosePlatform(HOST, entries)).toBeUndefined()
    expect(
      choosePlatform(HOST, [{ platform: { os: 'unknown', architecture: 'unknown' } }]),
    ).toBeUndefined()
    const bare = { platform: undefined }
    expect(choosePlatform(HOST, [...entries, bare])).toBe(bare)
  })
})
