import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TsrunError } from '../../../src/errors.ts'
import { removeStaleTemporaries, writeFileAtomic } from '../../../src/util/atomic-write.ts'
import { readJsonFile, writeJsonFile } from '../../../src/util/json-file.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsrun-atomic-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

describe('writeFileAtomic()', () => {
  it('replaces a file and leaves nothing beside it', () => {
    const path = join(folder, 'a')
    writeFileAtomic(path, 'one')
    writeFileAtomic(path, new Uint8Array([50]), { durable: false })
    expect(readFileSync(path, 'utf8')).toBe('2')
    expect(readdirSync(folder)).toEqual(['a'])
  })

  it('gives the exact mode whatever the umask is', () => {
    const path = join(folder, 'a')
    const umask = process.umask(0o077)
    try {
      writeFileAtomic(path, '', { mode: 0o644 })
    } finally {
      process.umask(umask)
    }
    expect(statSync(path).mode & 0o777).toBe(0o644)
    writeFileAtomic(path, '')
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('replaces a symlink instead of writing through it', () => {
    const target = join(folder, 'target')
    writeFileSync(target, 'old')
    symlinkSync(target, join(folder, 'link'))
    writeFileAtomic(join(folder, 'link'), 'new')
    expect(readFileSync(target, 'utf8')).toBe('old')
  })

  it('leaves no temporary and says what it could not write on failure', () => {
    mkdirSync(join(folder, 'dir', 'full'), { recursive: true })
    expect(() => writeFileAtomic(join(folder, 'dir'), 'x')).toThrow(TsrunError)
    expect(() => writeFileAtomic(join(folder, 'none', 'x'), 'x')).toThrow(/^cannot write "/)
    expect(readdirSync(folder)).toEqual(['dir'])
  })
})

describe('removeStaleTemporaries()', () => {
  it('removes only temporaries', () => {
    for (const name of ['a', '.hidden', '.a.tmp', '.a.0123456789ab.tmp']) {
      writeFileSync(join(folder, name), '')
    }
    removeStaleTemporaries(folder)
    expect(readdirSync(folder).sort()).toEqual(['.a.tmp', '.hidden', 'a'])
  })
})

describe('json-file', () => {
  it('readJsonFile() gives back what writeJsonFile() wrote, undefined for no file', () => {
    const path = join(folder, 'x.json')
    expect(readJsonFile(path)).toBeUndefined()
    writeJsonFile(path, { a: [1, 'ü'] })
    expect(readJsonFile(path)).toEqual({ a: [1, 'ü'] })
  })

  it('readJsonFile() names the file that is not JSON or cannot be read', () => {
    const path = join(folder, 'x.json')
    writeFileSync(path, '{')
    expect(() => readJsonFile(path)).toThrow(`cannot read "${path}": not JSON`)
    chmodSync(path, 0o600)
    expect(() => readJsonFile(folder)).toThrow(`cannot read "${folder}"`)
  })
})
