/** resctrl groups against a directory that stands for a mounted resctrl. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { IntelRdt } from '../../../src/oci/runtime-config.ts'
import { makeContainerRdt } from '../../../src/runtime/container-rdt.ts'
import {
  checkRdtGroups,
  findResctrl,
  joinRdtGroups,
  makeRdtGroups,
  rdtGroups,
  removeRdtGroups,
} from '../../../src/runtime/intel-rdt.ts'
import { missingLine } from '../../../src/runtime/resctrl-schemata.ts'

let resctrl: string

beforeEach(() => {
  resctrl = mkdtempSync(join(tmpdir(), 'tsrun-resctrl-'))
  mkdirSync(join(resctrl, 'info'))
  mkdirSync(join(resctrl, 'gold/mon_groups'), { recursive: true })
  writeFileSync(join(resctrl, 'gold/schemata'), '    L3:0=7ff;1=01f\n    MB:0= 20;1= 70\n')
})
afterEach(() => rmSync(resctrl, { recursive: true, force: true }))

function make(rdt: IntelRdt) {
  const groups = rdtGroups(resctrl, 'web', rdt)
  checkRdtGroups(groups, rdt)
  makeRdtGroups(resctrl, groups, rdt)
  return groups
}

const read = (path: string): string => readFileSync(join(resctrl, path), 'utf8')

describe('findResctrl()', () => {
  it('finds the mount, and says what to do without one', () => {
    const line = '30 20 0:25 / /sys/fs/resctrl rw,relatime - resctrl resctrl rw'
    expect(findResctrl(line)).toBe('/sys/fs/resctrl')
    expect(() => findResctrl('')).toThrow('no resctrl file system is mounted')
  })
})

describe('makeRdtGroups()', () => {
  it('makes a class of the container for itself, which goes with it [config-linux.md#intelrdt/1] [config-linux.md#intelrdt/9] [config-linux.md#intelrdt/12]', () => {
    const groups = make({})
    joinRdtGroups({ ...groups }, 42)
    expect(read('web/tasks')).toBe('42')
    rmSync(join(resctrl, 'web/tasks'))
    removeRdtGroups(groups)
    expect(existsSync(join(resctrl, 'web'))).toBe(false)
    removeRdtGroups(groups)
  })

  it('makes a named class with its schemata, which stays [config-linux.md#intelrdt/10] [config-linux.md#intelrdt/12]', () => {
    const groups = make({ closID: 'new', l3CacheSchema: 'L3:0=f', schemata: ['L2:0=1'] })
    expect(read('new/schemata')).toBe('L2:0=1\n')
    expect(groups.own).toEqual([])
  })

  // Every write is a command to resctrl; a plain file keeps the last.
  it('writes L3 before memory bandwidth, and schemata last, to a class that is there too [config-linux.md#intelrdt/7]', () => {
    const both = { l3CacheSchema: 'L3:0=f', memBwSchema: 'MB:0=20' }
    make({ closID: 'new', ...both })
    expect(read('new/schemata')).toBe('MB:0=20\n')
    make({ closID: 'other', ...both, schemata: ['L2:0=1', 'L2:0=2'] })
    expect(read('other/schemata')).toBe('L2:0=2\n')
    make({ closID: 'gold', l3CacheSchema: 'L3:1=1F', schemata: ['L3:0=1'] })
    expect(read('gold/schemata')).toBe('L3:0=1\n')
  })

  it('joins a class that is there and as asked for [config-linux.md#intelrdt/1] [config-linux.md#intelrdt/4] [config-linux.md#intelrdt/8]', () => {
    const before = read('gold/schemata')
    make({ closID: 'gold' })
    const groups = make({ closID: 'gold', l3CacheSchema: 'L3:1=1F', memBwSchema: 'MB:0=20;1=70' })
    expect(read('gold/schemata')).toBe(before)
    joinRdtGroups(groups, 7)
    expect(read('gold/tasks')).toBe('7')
    expect(make({ closID: '/' }).groups).toEqual([resctrl])
  })

  it('monitors below the class, and removes the monitor alone [config-linux.md#intelrdt/12] [config-linux.md#intelrdt/13]', () => {
    const groups = make({ closID: 'gold', enableMonitoring: true })
    expect(groups.groups).toEqual([join(resctrl, 'gold'), join(resctrl, 'gold/mon_groups/web')])
    removeRdtGroups(groups)
    expect(existsSync(join(resctrl, 'gold/mon_groups/web'))).toBe(false)
    expect(existsSync(join(resctrl, 'gold'))).toBe(true)
  })

  it.each([
    [{ closID: 'silver' }, 'the class .*/silver does not exist'],
    [{ closID: 'gold', l3CacheSchema: 'L3:0=1' }, 'does not have the schemata "L3:0=1"'],
    [{ closID: 'gold', memBwSchema: 'MB:0=50' }, 'does not have the schemata "MB:0=50"'],
  ])(
    'refuses %j and makes nothing [config-linux.md#intelrdt/10] [config-linux.md#intelrdt/11]',
    (rdt, message) => {
      expect(() => make(rdt)).toThrow(new RegExp(message))
      expect(existsSync(join(resctrl, 'silver'))).toBe(false)
    },
  )

  it('does not take over a group of the same name', () => {
    mkdirSync(join(resctrl, 'web'))
    expect(() => make({})).toThrow('web exists already')
  })

  it('passes on what the kernel says, and leaves nothing of its own [config-linux.md#intelrdt/13]', () => {
    writeFileSync(join(resctrl, 'info/last_cmd_status'), 'Out of CLOSIDs\n')
    // Without mon_groups below it there can be no monitor.
    expect(() => make({ enableMonitoring: true })).toThrow(/ENOENT: Out of CLOSIDs/)
    expect(existsSync(join(resctrl, 'web'))).toBe(false)
  })
})

describe('missingLine()', () => {
  it.each([
    ['L3:0=7f', 'L3:0=07f;1=ff', undefined],
    ['L3:0=0x7F;1=ff', 'L3:0=7f;1=ff', undefined],
    ['L3:2=1', 'L3:0=1', 'L3:2=1'],
    ['nonsense', 'L3:0=1', 'nonsense'],
  ])('looks for %j in %j', (line, present, missing) => {
    expect(missingLine(present, [line])).toBe(missing)
  })
})

describe('makeContainerRdt()', () => {
  it('does nothing when it is not asked for [config-linux.md#intelrdt/3]', () => {
    // There is no such root, and no resctrl on most machines: either would be an error.
    expect(makeContainerRdt('/nonexistent', 'web', { ociVersion: '1.3.0', linux: {} })).toBe(
      undefined,
    )
  })
})
