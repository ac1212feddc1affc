/** writeTar(): what it writes is read back byte for byte, by this project's reader and by GNU tar. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readTarEntries, type TarEntry } from '../../../src/archive/tar-entries.ts'
import { writeTar } from '../../../src/archive/tar-writer.ts'
import { createTempDir } from '../../support/temp-dir.ts'

async function* stream<Item>(items: readonly Item[]): AsyncGenerator<Item> {
  yield* items
}

function entry(part: Partial<TarEntry> & { readonly data?: string }): TarEntry {
  const data = Buffer.from(part.data ?? '', 'latin1')
  return {
    type: 'file',
    name: 'a',
    linkName: '',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: data.length,
    mtime: 1_700_000_000_000_000_000n,
    atime: undefined,
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: [],
    sparse: undefined,
    content: stream(data.length === 0 ? [] : [data]),
    ...part,
  }
}

async function pack(...entries: TarEntry[]): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of writeTar(stream(entries))) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function readBack(tar: Buffer) {
  const found: (Omit<TarEntry, 'content'> & { readonly data: string })[] = []
  for await (const { content, ...rest } of readTarEntries(stream([tar]))) {
    const chunks: Buffer[] = []
    for await (const chunk of content) chunks.push(chunk)
    found.push({ ...rest, data: Buffer.concat(chunks).toString('latin1') })
  }
  return found
}

describe('writeTar()', () => {
  it.each<[string, Partial<TarEntry> & { readonly data?: string }]>([
    ['a plain file', { name: 'dir/file', data: 'content' }],
    ['a name of more than 100 bytes', { name: `${'long/'.repeat(60)}end`, data: 'x' }],
    ['a name with a newline', { name: 'two\nlines', data: 'x' }],
    ['a name that is no UTF-8', { name: 'a\xff\xfeb', data: 'x' }],
    ['owners above the header’s octal digits', { uid: 4_000_000_000, gid: 3_000_000 }],
    ['nanoseconds', { mtime: 1_700_000_000_123_456_789n }],
    ['a binary extended attribute', { xattrs: [['user.x', Buffer.from([0, 10, 255])]] }],
    ['set-user-ID bits', { mode: 0o6755 }],
    ['a link', { type: 'symlink', linkName: `${'../'.repeat(50)}etc` }],
    ['a hard link', { type: 'link', linkName: 'other' }],
    ['a folder', { type: 'directory', name: 'dir/', mode: 0o1777 }],
    ['a FIFO', { type: 'fifo' }],
    ['a device', { type: 'character-device', deviceMajor: 1, deviceMinor: 3 }],
  ])('keeps %s', async (_, part) => {
    const { content: _content, ...wanted } = entry(part)
    const { data: _data, ...plain } = wanted as typeof wanted & { data?: string }
    const [found] = await readBack(await pack(entry(part)))
    expect(found).toMatchObject({ ...plain, atime: undefined, data: part.data ?? '' })
  })

  it('keeps holes as GNU tar reads them', async () => {
    const size = 1_000_000
    const pieces = [
      { offset: 4096, length: 512 },
      { offset: 512_000, length: 2 },
    ]
    const tar = await pack(
      entry({ name: 'holes', data: `abc${'\0'.repeat(509)}de`, sparse: { size, pieces } }),
    )
    expect(tar.length).toBeLessThan(10_000)
    using directory = createTempDir()
    spawnSync('tar', ['-C', directory.path, '-xf', '-'], { input: tar })
    const out = readFileSync(join(directory.path, 'holes'))
    expect(out.length).toBe(size)
    expect(out.toString('latin1', 4096, 4099)).toBe('abc')
    expect(out.toString('latin1', 512_000, 512_002)).toBe('de')
    expect(out.filter((byte) => byte !== 0).length).toBe(5)
  })

  it('refuses a content that has another size than it was to have', async () => {
    await expect(pack(entry({ size: 9, data: 'abc' }))).rejects.toThrow('not the size')
  })
})
