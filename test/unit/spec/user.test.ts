import { describe, expect, it } from 'vitest'
import { parseGroups, parsePasswd, resolveUser } from '../../../src/spec/user.ts'
import { GROUP, PASSWD } from './input.ts'

const resolve = (user: string, groups: readonly string[] = []) =>
  resolveUser({ user, groups, passwd: PASSWD, group: GROUP })

describe('resolveUser()', () => {
  it.each([
    ['', { uid: 0, gid: 0, additionalGids: [0], home: '/root' }],
    ['root', { uid: 0, gid: 0, additionalGids: [0], home: '/root' }],
    ['web', { uid: 100, gid: 101, additionalGids: [101, 44, 29], home: '/srv/web' }],
    ['100', { uid: 100, gid: 101, additionalGids: [101, 44, 29], home: '/srv/web' }],
    ['web:video', { uid: 100, gid: 44, additionalGids: [44], home: '/srv/web' }],
    ['web:7', { uid: 100, gid: 7, additionalGids: [7], home: '/srv/web' }],
    ['4242', { uid: 4242, gid: 0, additionalGids: [0], home: '/' }],
    ['4242:4243', { uid: 4242, gid: 4243, additionalGids: [4243], home: '/' }],
    [':video', { uid: 0, gid: 44, additionalGids: [44], home: '/root' }],
    ['4294967294', { uid: 4294967294, gid: 0, additionalGids: [0], home: '/' }],
  ])('resolves %j', (user, expected) => {
    expect(resolve(user)).toEqual(expected)
  })

  it('adds groups of --group-add once', () => {
    expect(resolve('4242', ['video', '44', '9']).additionalGids).toEqual([0, 44, 9])
  })

  it('works without files for numbers and not for names', () => {
    const question = { groups: [], passwd: undefined, group: undefined }
    expect(resolveUser({ user: '', ...question })).toEqual({
      uid: 0,
      gid: 0,
      additionalGids: [0],
      home: '/',
    })
    expect(() => resolveUser({ user: 'root', ...question })).toThrow(
      '/etc/passwd has no user "root"',
    )
  })

  it.each([
    '4294967295',
    '4294967296',
    '18446744073709551616',
    '0:4294967295',
    '0:4294967296',
    '99999999999999999999999',
  ])('refuses id %s that would wrap (CVE-2024-40635)', (user) => {
    expect(() => resolve(user)).toThrow(/ids are from 0 to 4294967294|no user|no group/)
  })

  it.each([
    '-1',
    '+0',
    '0x0',
    '1e3',
    ' 0',
    '0 ',
    '0.0',
    'nobody',
    'web:none',
    'a:b:c',
    '٠',
    '__proto__',
  ])('refuses %j', (user) => {
    expect(() => resolve(user)).toThrow(/^cannot use user /)
  })
})

describe('parsePasswd()', () => {
  it('skips lines with numbers that a lenient parser would read as 0', () => {
    const lines = [
      'evil:x:4294967296:0::/:',
      'evil2:x:-1:0::/:',
      'evil3:x::::/:',
      'evil4:x:0x0:0::/:',
      '#c:x:0:0::/:',
      '+::::::',
      ':x:0:0::/:',
    ]
    expect(parsePasswd(lines.join('\n'))).toEqual([])
  })

  it('takes short lines and a home that is not absolute as /', () => {
    expect(parsePasswd('a:x:1:2\nb:x:3:4::rel:/bin/sh')).toEqual([
      { name: 'a', uid: 1, gid: 2, home: '/' },
      { name: 'b', uid: 3, gid: 4, home: '/' },
    ])
  })
})

describe('parseGroups()', () => {
  it('reads members and skips what is not a group', () => {
    expect(parseGroups('a:x:1:b,c\nd:x:2:\nbad:x:y:\n\n')).toEqual([
      { name: 'a', gid: 1, members: ['b', 'c'] },
      { name: 'd', gid: 2, members: [] },
    ])
  })
})
