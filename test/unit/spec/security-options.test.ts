import { describe, expect, it } from 'vitest'
import { hiddenPaths, parseSecurityOptions } from '../../../src/spec/security-options.ts'

const parse = (...texts: string[]) => parseSecurityOptions(texts, false)

describe('parseSecurityOptions()', () => {
  it('has the defaults of docker', () => {
    expect(parse()).toMatchObject({
      seccomp: { kind: 'default' },
      noNewPrivileges: false,
      apparmor: undefined,
    })
    expect(parseSecurityOptions([], true)).toMatchObject({
      seccomp: { kind: 'unconfined' },
      unmask: 'all',
    })
  })

  it.each([
    ['no-new-privileges', { noNewPrivileges: true }],
    ['no-new-privileges:true', { noNewPrivileges: true }],
    ['no-new-privileges=false', { noNewPrivileges: false }],
    ['seccomp=unconfined', { seccomp: { kind: 'unconfined' } }],
    ['seccomp:unconfined', { seccomp: { kind: 'unconfined' } }],
    ['seccomp=builtin', { seccomp: { kind: 'default' } }],
    ['seccomp=./p=1.json', { seccomp: { kind: 'file', path: './p=1.json' } }],
    ['apparmor=mine', { apparmor: 'mine' }],
    ['label=disable', {}],
    ['systempaths=unconfined', { unmask: 'all' }],
  ])('reads %s', (text, expected) => {
    expect(parse(text)).toMatchObject(expected)
  })

  it.each([
    ['label=x', 'it is no label'],
    ['proc-opts=hidepid=9', 'not an option of proc'],
    ['proc-opts=hidepid=2,size=1', 'not an option of proc'],
    ['systempaths=x', 'can only be unconfined'],
    ['seccomp=', 'it has no value'],
    ['seccomp', 'it has no value'],
    ['no-new-privileges=maybe', 'must be true or false'],
    ['mask=proc', 'must be an absolute path'],
    ['toString', 'is not a security option'],
    ['', 'is not a security option'],
    ['a\0', 'NUL'],
  ])('refuses %j', (text, reason) => {
    expect(() => parse(text)).toThrow(reason)
  })
})

describe('hiddenPaths()', () => {
  it('masks and protects by default, nothing when unconfined', () => {
    const { maskedPaths, readonlyPaths } = hiddenPaths(parse())
    expect(maskedPaths).toContain('/proc/kcore')
    expect(readonlyPaths).toContain('/proc/sys')
    expect(hiddenPaths(parse('systempaths=unconfined'))).toEqual({
      maskedPaths: [],
      readonlyPaths: [],
    })
    expect(hiddenPaths(parse('unmask=ALL')).maskedPaths).toEqual([])
  })

  it('adds with mask and removes with unmask, by name and by pattern', () => {
    expect(hiddenPaths(parse('mask=/proc/a:/proc/b')).maskedPaths).toEqual(
      expect.arrayContaining(['/proc/a', '/proc/b']),
    )
    const open = hiddenPaths(parse('unmask=/proc/kcore:/proc/sys'))
    expect(open.maskedPaths).not.toContain('/proc/kcore')
    expect(open.readonlyPaths).not.toContain('/proc/sys')
    const pattern = hiddenPaths(parse('unmask=/proc/*'))
    expect(pattern.maskedPaths.every((path) => path.startsWith('/sys/'))).toBe(true)
  })
})
