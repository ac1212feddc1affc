import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  checkContainerId,
  containerExists,
  listContainerIds,
  makeContainerDirectory,
  prepareContainerRecord,
  publishContainerRecord,
  readContainerFile,
  readContainerRecord,
  removeContainerDirectory,
  writeContainerFile,
} from '../../../src/state/state-directory.ts'
import { createTempDir, type TempDir } from '../../support/temp-dir.ts'

const RECORD = {
  ociVersion: '1.2.0',
  id: 'c',
  bundle: '/b',
  rootfs: '/b/rootfs',
  created: '2026-01-01T00:00:00Z',
  pid: 1,
  startTime: 2,
  owner: 0,
}

let temp: TempDir
let root: string

beforeEach(() => {
  temp = createTempDir()
  root = join(temp.path, 'root')
})
afterEach(() => temp[Symbol.dispose]())

describe('checkContainerId()', () => {
  it.each(['a', 'A.b-c_d+1', '-x', '+x', '_', '.hidden', '..x', 'f'.repeat(64)])(
    'takes %j as runc does',
    (id) => {
      expect(() => checkContainerId(id)).not.toThrow()
    },
  )

  it.each(['', '.', '..', 'a/b', '../x', 'a b', 'a\n', 'ä', 'a\0'])('refuses %j', (id) => {
    expect(() => checkContainerId(id)).toThrow('invalid container ID format')
  })
})

describe('makeContainerDirectory()', () => {
  it('makes root and folder for the owner alone, and only once', () => {
    expect(makeContainerDirectory(root, 'c', false)).toBe(true)
    expect(statSync(root).mode & 0o7777).toBe(0o700)
    expect(statSync(join(root, 'c')).mode & 0o7777).toBe(0o700)
    expect(makeContainerDirectory(root, 'c', false)).toBe(false)
  })

  it('sets the sticky bit below $XDG_RUNTIME_DIR', () => {
    makeContainerDirectory(root, 'c', true)
    expect(statSync(root).mode & 0o7777).toBe(0o1700)
  })
})

describe('readContainerRecord()', () => {
  it('tells half made from unknown', () => {
    makeContainerDirectory(root, 'half', false)
    expect(readContainerRecord(root, 'half')).toBeUndefined()
    expect(() => readContainerRecord(root, 'unknown')).toThrow('container "unknown" does not exist')
  })
})

describe('writeContainerFile()', () => {
  it('replaces the file', () => {
    makeContainerDirectory(root, 'c', false)
    writeContainerFile(root, 'c', 'cgroup', '1')
    writeContainerFile(root, 'c', 'cgroup', '2')
    expect(readContainerFile(root, 'c', 'cgroup')).toBe('2')
    expect(readdirSync(join(root, 'c'))).toEqual(['cgroup'])
  })
})

describe('publishContainerRecord()', () => {
  it('makes the container complete', () => {
    makeContainerDirectory(root, 'c', true)
    prepareContainerRecord(root, RECORD)
    expect(readContainerRecord(root, 'c')).toBeUndefined()
    publishContainerRecord(root, 'c')
    expect(readContainerRecord(root, 'c')).toEqual(RECORD)
    expect(readdirSync(join(root, 'c'))).toEqual(['state.json'])
  })
})

describe('removeContainerDirectory()', () => {
  it('removes the files of a container, and is content with nothing', () => {
    makeContainerDirectory(root, 'c', false)
    writeContainerFile(root, 'c', 'cgroup', '1')
    writeContainerFile(root, 'c', 'config.json', '{}')
    removeContainerDirectory(root, 'c')
    removeContainerDirectory(root, 'c')
    expect(readdirSync(root)).toEqual([])
  })

  it('touches no folder with anything else in it', () => {
    makeContainerDirectory(root, 'c', false)
    mkdirSync(join(root, 'c/precious'))
    writeContainerFile(root, 'c', 'cgroup', '1')
    expect(() => removeContainerDirectory(root, 'c')).toThrow('it has "precious" in it')
    expect(readdirSync(join(root, 'c'))).toEqual(['cgroup', 'precious'])
  })

  it('touches no folder that others may write in', () => {
    makeContainerDirectory(root, 'c', false)
    writeContainerFile(root, 'c', 'cgroup', '1')
    chmodSync(join(root, 'c'), 0o770)
    expect(() => removeContainerDirectory(root, 'c')).toThrow('others may write in it')
    expect(readdirSync(join(root, 'c'))).toEqual(['cgroup'])
  })
})

describe('listContainerIds()', () => {
  it('is empty without a root, sorted, and blind to what is no container', () => {
    expect(listContainerIds(root)).toEqual([])
    for (const id of ['b', 'a']) makeContainerDirectory(root, id, false)
    mkdirSync(join(root, 'not an id'))
    writeFileSync(join(root, 'file'), '')
    expect(listContainerIds(root)).toEqual(['a', 'b'])
    removeContainerDirectory(root, 'a')
    expect(containerExists(root, 'a')).toBe(false)
    expect(existsSync(join(root, 'b'))).toBe(true)
  })
})
