/** ADD on the real kernel: archives told by their content and unpacked, whatever is in them. */
import { execFileSync } from 'node:child_process'
import { existsSync, lstatSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { CopyFolders, filesOf, make, type Wanted } from '../support/copy-folders.ts'
import { missing } from '../support/requires.ts'
import { buildTar, dir, file, hardLink, symlink, type TarInput } from '../support/tar-builder.ts'

const folder = new CopyFolders()
beforeEach(() => folder.renew())
afterAll(() => folder[Symbol.dispose]())

const add = (words: string, wanted: Wanted = {}) => folder.copy(words, { kind: 'add', ...wanted })

async function addTar(entries: readonly TarInput[], destination = '/'): Promise<void> {
  writeFileSync(join(folder.context, 'a.tar'), buildTar(entries))
  await add(`a.tar ${destination}`)
}

const inRoot = (path: string) => join(folder.root, path)

describe.skipIf(missing('root'))('ADD', () => {
  test('unpacks tars of any compression by their content, with their owners, and copies the rest', async () => {
    const tar = buildTar([
      dir('./'),
      dir('./d', { mode: 0o2750, uid: 5 }),
      file('./d/f', 'f', { uid: 5, gid: 6, mtime: 7 }),
    ])
    const path = (name: string) => join(folder.context, name)
    writeFileSync(path('plain.txt'), tar)
    writeFileSync(path('gz'), gzipSync(tar))
    execFileSync('zstd', ['-q', path('plain.txt'), '-o', path('zst')])
    writeFileSync(path('single.gz'), gzipSync('no tar'))
    writeFileSync(path('half.gz'), gzipSync(tar).subarray(0, 5))
    writeFileSync(path('empty'), '')
    for (const name of ['plain.txt', 'gz', 'zst']) await add(`${name} /${name}`)
    await add('single.gz half.gz empty /rest/')
    await folder.copy('plain.txt /copied')
    const tree = { d: { f: 'f' } }
    expect(filesOf(folder.root)).toMatchObject({ 'plain.txt': tree, gz: tree, zst: tree })
    expect(readFileSync(inRoot('copied'))).toEqual(tar)
    for (const name of ['single.gz', 'half.gz', 'empty'])
      expect(readFileSync(inRoot(`rest/${name}`))).toEqual(readFileSync(path(name)))
    const { uid, gid, mtimeMs } = statSync(inRoot('gz/d/f'))
    expect([uid, gid, mtimeMs]).toEqual([5, 6, 7000])
    expect([statSync(inRoot('gz')).mode & 0o7777, statSync(inRoot('gz/d')).mode & 0o7777]).toEqual([
      0o755, 0o2750,
    ])
    await add('gz /chowned/', { chown: '8:9' })
    expect(
      [statSync(inRoot('chowned')), statSync(inRoot('chowned/d/f'))].map(({ uid, gid }) => [
        uid,
        gid,
      ]),
    ).toEqual([
      [8, 9],
      [8, 9],
    ])
  })

  test('replaces what is of another kind, and lets later entries win', async () => {
    make(folder.root, { d: { sub: { x: 'x' }, keep: 'k' }, f: 'f', l: '-> d' })
    await addTar([
      file('d/sub', 'file now'),
      dir('f'),
      file('f/in', 'i'),
      dir('l'),
      file('l/in', 'i'),
      file('twice', '1'),
      dir('twice'),
      file('twice/a', 'a'),
      file('twice', '2'),
    ])
    expect(filesOf(folder.root)).toEqual({
      d: { sub: 'file now', keep: 'k' },
      f: { in: 'i' },
      l: { in: 'i' },
      twice: '2',
    })
  })

  test('goes through links of the root as in a chroot, and makes links as they are', async () => {
    make(folder.root, { usr: { lib: {} }, lib: '-> usr/lib', up: '-> ../../../../usr' })
    await addTar([
      file('lib/a', 'a'),
      file('up/b', 'b'),
      symlink('s', '../../../etc'),
      file('s/c', 'c'),
      hardLink('h', 'lib/a'),
      file('/abs', 'd'),
    ])
    expect(filesOf(folder.root)).toEqual({
      usr: { lib: { a: 'a' }, b: 'b' },
      lib: '-> usr/lib',
      up: '-> ../../../../usr',
      s: '-> ../../../etc',
      etc: { c: 'c' },
      h: 'a',
      abs: 'd',
    })
    expect(lstatSync(inRoot('h')).ino).toBe(lstatSync(inRoot('usr/lib/a')).ino)
  })

  test.each<[string, readonly TarInput[], string]>([
    ['climbs', [file('../evil', 'x')], 'it climbs up by ".."'],
    ['links out', [hardLink('h', '../../../etc/passwd')], 'it climbs up by ".."'],
    [
      'links to nothing',
      [hardLink('h', 'gone')],
      'the target of the hard link, "/gone", is no file',
    ],
    ['links to a folder', [dir('d'), hardLink('h', 'd')], 'is no file'],
    ['has a circle', [symlink('a', 'b'), symlink('b', 'a'), file('a/x', 'x')], 'lead in a circle'],
    ['removes by a whiteout', [file('.wh.etc')], 'a name with ".wh." at its start'],
    ['has an empty link', [symlink('l', '')], 'its link target is empty'],
    ['has an impossible device', [{ name: 'n', type: '3', device: [0xffff, 1] }], 'does not exist'],
    ['has a file in place of the root', [file('x'), file('./x/y')], '"/x" is no directory'],
  ])('refuses a tar that %s', async (_, entries, message) => {
    const failure = addTar(entries).then(
      () => 'added',
      (error: Error) => `${error.message} ${String(error.cause)}`,
    )
    expect(await failure).toContain(message)
    expect(existsSync(join(folder.path, 'evil'))).toBe(false)
  })

  test('refuses what it cannot inflate, by the name of its program', async () => {
    writeFileSync(join(folder.context, 'a.xz'), Buffer.from('\xfd7zXZ\0\0', 'latin1'))
    writeFileSync(join(folder.context, 'a.bz2'), 'BZh91AY&SY')
    await expect(add('a.xz /')).rejects.toThrow('cannot unpack "a.xz": it is compressed by xz')
    await expect(add('a.bz2 /')).rejects.toThrow('cannot unpack "a.bz2": it is compressed by bzip2')
    await folder.copy('a.xz a.bz2 /')
  })

  test('says that a tar is damaged', async () => {
    const tar = gzipSync(buildTar([file('a', 'a'.repeat(5000)), file('b')]))
    writeFileSync(join(folder.context, 'a.tgz'), tar.subarray(0, tar.length - 10))
    await expect(add('a.tgz /x/')).rejects.toThrow('cannot unpack "a.tgz"')
  })
})
