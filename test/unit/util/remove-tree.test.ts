import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { removeTree } from '../../../src/util/remove-tree.ts'

let base: string
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'tsrun-remove-'))
})
afterEach(() => rmSync(base, { recursive: true, force: true }))

describe('removeTree()', () => {
  it('removes what is nested deeper than a path may be long', () => {
    const tree = join(base, 'tree')
    mkdirSync(tree)
    const before = process.cwd()
    process.chdir(tree)
    try {
      for (let i = 0; i < 80; i++) {
        mkdirSync('x'.repeat(100))
        writeFileSync('file', '')
        process.chdir('x'.repeat(100))
      }
    } finally {
      process.chdir(before)
    }
    removeTree(tree)
    expect(existsSync(tree)).toBe(false)
  })

  it('removes links, not what they lead to, and names that are no text', () => {
    const tree = join(base, 'tree')
    mkdirSync(join(tree, 'd/e'), { recursive: true })
    writeFileSync(join(base, 'kept'), 'kept')
    symlinkSync(join(base, 'kept'), join(tree, 'd/link'))
    symlinkSync(base, join(tree, 'd/e/folder'))
    writeFileSync(Buffer.concat([Buffer.from(`${tree}/d/`), Buffer.from([0xff, 0xfe])]), '')
    removeTree(tree)
    expect(existsSync(tree)).toBe(false)
    expect(readFileSync(join(base, 'kept'), 'utf8')).toBe('kept')
  })

  it('takes a file, a link to a folder and nothing at all', () => {
    mkdirSync(join(base, 'folder'))
    writeFileSync(join(base, 'folder/kept'), '')
    writeFileSync(join(base, 'file'), '')
    symlinkSync('folder', join(base, 'link'))
    for (const name of ['file', 'link', 'nothing']) {
      removeTree(join(base, name))
      expect(existsSync(join(base, name))).toBe(false)
    }
    expect(existsSync(join(base, 'folder/kept'))).toBe(true)
  })
})
