/** What readTarEntries() replaces inside tar-stream: an update of that package must not undo it. */
import { describe, expect, test } from 'vitest'
import { readTarEntries, type TarEntry } from '../../../src/archive/tar-entries.ts'
import { buildTar, dir, file, symlink } from '../../support/tar-builder.ts'

async function entriesOf(tar: Buffer): Promise<readonly TarEntry[]> {
  const entries: TarEntry[] = []
  for await (const entry of readTarEntries(chunksOf(tar))) entries.push(entry)
  return entries
}

async function* chunksOf(tar: Buffer): AsyncGenerator<Buffer> {
  // Odd sizes, so that headers are split.
  for (let at = 0; at < tar.length; at += 777) yield tar.subarray(at, at + 777)
}

describe('readTarEntries()', () => {
  test('keeps the bytes of names that are not UTF-8', async () => {
    const name = Buffer.from([0x66, 0xff, 0xfe, 0x80]).toString('latin1')
    const [entry] = await entriesOf(buildTar([file('short', 'x', { pax: { path: name } })]))
    expect(Buffer.from(entry?.name ?? '', 'latin1')).toEqual(Buffer.from([0x66, 0xff, 0xfe, 0x80]))
  })

  test('keeps the bytes of binary xattrs, newlines and zeros too', async () => {
    const value = Buffer.from([1, 0, 0, 2, 0x0a, 0xff, 0xc3, 0x28, 0])
    const pax = { 'SCHILY.xattr.security.capability': value.toString('latin1') }
    const [entry] = await entriesOf(buildTar([file('bin', 'x', { pax })]))
    expect(entry?.xattrs).toEqual([['security.capability', value]])
  })

  test('refuses PAX records with a length that is no length', async () => {
    const good = buildTar([file('a', 'x', { pax: { path: 'aaaaaaaaaaaa' } })])
    const at = good.indexOf('path=aaaa')
    const lengthAt = good.lastIndexOf('\n', at) + 1
    for (const length of ['-1', '0 ', '99']) {
      const bad = Buffer.from(good)
      bad.write(length, Math.max(lengthAt, 512))
      await expect(entriesOf(bad)).rejects.toThrow(/tar|record|PAX/i)
    }
  })

  test('gives modes with setuid, owners, times in nanoseconds and link targets', async () => {
    const pax = { mtime: '1700000000.123456789', uid: '70000', gid: '80000' }
    const entries = await entriesOf(
      buildTar([
        dir('d', { mode: 0o1777 }),
        file('d/s', 'abc', { mode: 0o4755, pax }),
        symlink('l', 'd/s'),
      ]),
    )
    expect(entries.map(({ type, name }) => [type, name.replace(/\/$/, '')])).toEqual([
      ['directory', 'd'],
      ['file', 'd/s'],
      ['symlink', 'l'],
    ])
    expect(entries[0]?.mode).toBe(0o1777)
    expect(entries[1]).toMatchObject({
      mode: 0o4755,
      uid: 70000,
      gid: 80000,
      size: 3,
      mtime: 1700000000123456789n,
    })
    expect(entries[2]?.linkName).toBe('d/s')
  })

  test('refuses a tar that ends inside an entry', async () => {
    const tar = buildTar([file('a', Buffer.alloc(5000))])
    await expect(entriesOf(tar.subarray(0, 2000))).rejects.toThrow()
  })
})
