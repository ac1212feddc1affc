import { describe, expect, it } from 'vitest'
import { parseModeChange } from '../../../src/dockerfile/file-mode.ts'

describe('parseModeChange()', () => {
  it.each([
    ['0644', 0o755, false, 0o644],
    ['644', 0o755, true, 0o644],
    ['4755', 0o600, false, 0o4755],
    ['07777', 0, false, 0o7777],
    ['u=rwX,go=rX', 0o600, false, 0o644],
    ['u=rwX,go=rX', 0o600, true, 0o755],
    ['u=rwX,go=rX', 0o700, false, 0o755],
    ['+x', 0o644, false, 0o755],
    ['a-w', 0o666, false, 0o444],
    ['u+s,g+s,+t', 0o755, false, 0o7755],
    ['u-s', 0o4755, false, 0o755],
    ['g=u', 0o640, false, 0o660],
    ['o=', 0o777, false, 0o770],
    ['u+r-w', 0o200, false, 0o400],
    ['u=', 0o4755, false, 0o055],
  ])('%j makes of %o (folder: %j) %o', (text, mode, isFolder, expected) => {
    expect(parseModeChange(text)(mode, isFolder)).toBe(expected)
  })

  it.each(['', '8', '0888', '77777', '-1', '1e3', 'u', 'rw', 'u+q', 'u=rw,', 'u=rx ', 'a=rwu'])(
    'refuses %j',
    (text) => {
      expect(() => parseModeChange(text)).toThrow(/cannot use --chmod .*: it is no mode/)
    },
  )

  it('takes a long text in its stride', () => {
    expect(() => parseModeChange(`u${'+rwx'.repeat(50_000)}!`)).toThrow('it is no mode')
  })
})
