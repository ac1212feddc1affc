import { describe, expect, it } from 'vitest'
import { parseAnnotations, parseSysctls } from '../../../src/spec/key-values.ts'

describe('parseAnnotations()', () => {
  it('splits at the first = and keeps inherited names as data', () => {
    expect(parseAnnotations(['a=b=c', 'a=d', 'e='])).toEqual({ a: 'd', e: '' })
    expect(Object.keys(parseAnnotations(['__proto__=x']))).toEqual(['__proto__'])
  })

  it.each(['', 'a', '=b', 'a=\0'])('refuses %j', (text) => {
    expect(() => parseAnnotations([text])).toThrow(/^cannot use annotation /)
  })
})

describe('parseSysctls()', () => {
  it('takes what the container owns', () => {
    expect(
      parseSysctls(['net.core.somaxconn=1024', 'kernel.shmmax=1'], {
        network: 'none',
        ipc: 'private',
      }),
    ).toEqual({
      'net.core.somaxconn': '1024',
      'kernel.shmmax': '1',
    })
  })

  it.each([
    ['kernel.panic=1', 'none'],
    ['net.core.somaxconn=1', 'host'],
    ['kernel.domainname=x', 'none'],
    ['user.max_user_namespaces=1', 'none'],
    ['net.ipv4/../../kernel/panic=1', 'none'],
    ['net', 'none'],
    ['kernel.shmmax=1', 'none', 'host'],
  ] as const)('refuses %j with network %s', (text, network, ipc: string = 'private') => {
    expect(() => parseSysctls([text], { network, ipc })).toThrow(/^cannot use sysctl /)
  })
})
