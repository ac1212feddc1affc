import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseMountinfo, unescapeMountPath } from '../../../src/linux/parse-mountinfo.ts'

describe('parseMountinfo()', () => {
  it('reads every field', () => {
    const line =
      '36 35 98:0 /mnt1 /mnt2 rw,noatime shared:7 master:1 propagate_from:9 - ext3 /dev/root rw,errors=continue\n'
    expect(parseMountinfo(line)).toEqual([
      {
        mountId: 36,
        parentId: 35,
        major: 98,
        minor: 0,
        root: '/mnt1',
        mountPoint: '/mnt2',
        options: ['rw', 'noatime'],
        sharedGroup: 7,
        masterGroup: 1,
        unbindable: false,
        fsType: 'ext3',
        source: '/dev/root',
        superOptions: ['rw', 'errors=continue'],
      },
    ])
  })

  it('takes no optional fields, an empty source and a mount point named -', () => {
    const [entry] = parseMountinfo('22 1 0:21 / /- rw - tmpfs  rw')
    expect(entry).toMatchObject({
      mountPoint: '/-',
      source: '',
      fsType: 'tmpfs',
      unbindable: false,
    })
    expect(entry?.sharedGroup).toBeUndefined()
  })

  it('undoes octal escapes', () => {
    const [entry] = parseMountinfo(
      '1 0 0:1 / /a\\040b\\011c\\134\\012 rw unbindable - ext4 /d\\040x rw',
    )
    expect(entry).toMatchObject({ mountPoint: '/a b\tc\\\n', source: '/d x', unbindable: true })
  })

  it.each([
    '',
    'garbage',
    '36 35 98:0 / /x rw ext3 /dev/root rw',
    'x 35 98:0 / /x rw - ext3 a rw',
    '36 35 98 / /x rw - ext3 a rw',
    '36 35 98:0 / /x rw -',
    '- - - - - - -',
  ])('skips %j', (line) => {
    expect(parseMountinfo(line)).toEqual([])
  })

  it('reads the table of this process', () => {
    const text = readFileSync('/proc/self/mountinfo', 'utf8')
    const entries = parseMountinfo(text)
    expect(entries).toHaveLength(text.trimEnd().split('\n').length)
    expect(entries.some((entry) => entry.mountPoint === '/proc' && entry.fsType === 'proc')).toBe(
      true,
    )
  })

  it('unescapeMountPath() leaves incomplete escapes alone', () => {
    expect(unescapeMountPath('\\04')).toBe('\\04')
    expect(unescapeMountPath('\\999')).toBe('\\999')
  })
})
