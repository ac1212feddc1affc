/** ADD on the real kernel: archives told by their content and unpacked, whatever is in them. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Downloads } from '../../src/engine/build/downloads.ts'
import { hashSources } from '../../src/engine/build/hash-sources.ts'
import { openFolder } from '../../src/native/open-folder.ts'
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

describe.skipIf(missing('root'))('ADD of an address', () => {
  const digest = `sha256:${createHash('sha256').update('content').digest('hex')}`
  const below = join(folder.path, 'downloads')
  const seen: string[] = []
  let server: Server
  let base = ''

  beforeAll(async () => {
    server = createServer((request, response) => {
      const url = request.url ?? ''
      seen.push(`${url} ${request.headers.authorization ?? 'nobody'}`)
      const to = url === '/round' ? '/round' : /^\/to\?(.*)$/.exec(url)?.[1]
      if (to !== undefined) response.writeHead(302, { location: decodeURIComponent(to) }).end()
      else if (url === '/short')
        response.writeHead(200, { 'content-length': 10 }).write('x', () => response.destroy())
      else if (!url.startsWith('/f')) response.writeHead(404).end('no')
      else
        response.writeHead(200, { 'last-modified': 'Thu, 01 Jan 1970 00:00:07 GMT' }).end('content')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    base = `127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => server.close())
  beforeEach(() => {
    seen.length = 0
  })

  async function addFrom(words: string, wanted: Wanted = {}): Promise<void> {
    using downloads = new Downloads(below)
    await add(words, { downloads, ...wanted })
  }

  test('makes a file of mode 0600 with the time that the server says', async () => {
    await addFrom(`http://${base}/f%20a?q /d/`)
    await addFrom(`http://${base}/f /e`, { checksum: digest, chmod: '0644' })
    const { mode, mtimeMs, uid } = statSync(inRoot('d/f a'))
    expect([mode & 0o7777, mtimeMs, uid]).toEqual([0o600, 7000, 0])
    expect([readFileSync(inRoot('e'), 'utf8'), statSync(inRoot('e')).mode & 0o777]).toEqual([
      'content',
      0o644,
    ])
  })

  test('keeps what it fetches in the folder, under no name, and refuses what is too long', async () => {
    using downloads = new Downloads(below, { maxBytes: 7 })
    const { file } = await downloads.get(`http://${base}/f`, undefined)
    expect(readlinkSync(`/proc/self/fd/${file.fd}`)).toMatch(`${below}/`)
    using small = new Downloads(below, { maxBytes: 6 })
    await expect(small.get(`http://${base}/f`, undefined)).rejects.toThrow(
      `cannot download "http://${base}/f": it is longer than 6 bytes`,
    )
    expect(readdirSync(below)).toEqual([])
  })

  test('downloads once for digest and copy, and does not unpack', async () => {
    using downloads = new Downloads(below)
    using source = openFolder(folder.context)
    const request = {
      kind: 'add',
      folder: source,
      folderName: 'context',
      ignore: undefined,
      inline: [],
      excludes: [],
      parents: false,
      keepOwners: false,
      downloads,
      patterns: [`http://${base}/f`],
    } as const
    const first = await hashSources(request)
    expect(await hashSources({ ...request, patterns: [`http://${base}/fother`] })).not.toBe(first)
    await add(`http://${base}/f /`, { downloads })
    expect(seen).toEqual(['/f nobody', '/fother nobody'])
    expect(filesOf(folder.root)).toEqual({ f: 'content' })
  })

  test('follows redirects, and keeps a password on its host', async () => {
    const other = base.replace('127.0.0.1', 'localhost')
    await addFrom(`http://me:p%40ss@${base}/to?%2Ff /a`)
    await addFrom(`http://me:p%40ss@${base}/to?${encodeURIComponent(`http://${other}/f`)} /b`)
    const basic = `Basic ${Buffer.from('me:p@ss').toString('base64')}`
    expect(seen.map((line) => line.split(' ').slice(1).join(' '))).toEqual([
      basic,
      basic,
      basic,
      'nobody',
    ])
  })

  test.each<[words: string, wanted: Wanted, message: string]>([
    [
      'http://me:secret@BASE/none /x',
      {},
      'cannot download "http://BASE/none": BASE answers with status 404',
    ],
    [
      'http://BASE/to?file:%2F%2F%2Fetc%2Fpasswd /x',
      {},
      'it is redirected to "file:///etc/passwd"',
    ],
    ['http://BASE/round /x', {}, 'it is redirected more than 10 times'],
    ['http://BASE/short /x', {}, 'cannot download "http://BASE/short"'],
    ['http://127.0.0.1:1/f /x', {}, 'cannot download "http://127.0.0.1:1/f": ECONNREFUSED'],
    ['http://BASE/ /x', {}, 'is no name of a file'],
    ['http://BASE/..%2f..%2fetc /x/', {}, 'is no name of a file'],
    ['http:// /x', {}, 'it is no address'],
    ['http://BASE/f /x', { checksum: `sha256:${'0'.repeat(64)}` }, `its digest is ${digest}`],
    ['http://BASE/f /x', { checksum: 'md5:00' }, 'it is no digest'],
    ['a /x', { checksum: digest }, 'it is for one http or https source'],
    ['https://example.org/a.git /x', {}, 'git repositories are not supported'],
    ['git@example.org:a/b /x', {}, 'git repositories are not supported'],
  ])('refuses %s %j', async (words, wanted, message) => {
    const failure = addFrom(words.replace('BASE', base), wanted)
    await expect(failure).rejects.toThrow(message.replaceAll('BASE', base))
  })
})
