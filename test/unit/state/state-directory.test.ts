import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  checkContainerId,
  containerExists,
  listContainerIds,
  makeContainerDirectory,
  readContainerFile,
  readContainerRecord,
  removeContainerDirectory,
  writeContainerFile,
} from '../../../src/state/state-directory.ts'
import { createTempDir, type TempDir } from '../../support/temp-dir.ts'

let temp: TempDir
let root: string

beforeEach(() => {
  temp = createTempDir()
  root = join(temp.path, 'root')
})
afterEach(() => temp[Symbol.dispose]())

describe('checkContainerId()', () => {
  it.each(['a', 'A.b-c_d+1', '-x', '+x', '_', 'f'.repeat(64)])('takes %j as runc does', (id) => {
    expect(() => checkContainerId(id)).not.toThrow()
  })

  it.each(['', '.', '..', '.hidden', 'a/b', '../x', 'a b', 'a\n', 'ä', 'a\0'])(
    'refuses %j',
    (id) => {
      expect(() => checkContainerId(id)).toThrow('invalid container ID format')
    },
  )
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
  it('replaces the file and leaves no temporary', () => {
    makeContainerDirectory(root, 'c', false)
    writeContainerFile(root, 'c', 'x', '1')
    writeContainerFile(root, 'c', 'x', '2')
    expect(readContainerFile(root, 'c', 'x')).toBe('2')
    expect(readdirSync(join(root, 'c'))).toEqual(['x'])
  })
})

describe('listContainerIds()', () => {
  it('is empty without a root, sorted, and blind to what is no container', () => {
    expect(listContainerIds(root)).toEqual([])
    for (const id of ['b', 'a']) makeContainerDirectory(root, id, false)
    mkdirSync(join(root, '.hidden'))
    writeFileSync(join(root, 'file'), '')
    expect(listContainerIds(root)).toEqual(['a', 'b'])
    removeContainerDirectory(root, 'a')
    expect(containerExists(root, 'a')).toBe(false)
    expect(existsSync(join(root, 'b'))).toBe(true)
  })
})
