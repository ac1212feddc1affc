/** Layers on a real file system: exact trees, overlay's form of whiteouts, and tars that mean harm. */
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { applyLayer } from '../../src/images/apply-layer.ts'
import { finishLayer } from '../../src/images/finish-layer.ts'
import { readXattr } from '../../src/native/xattrs.ts'
import { buildTar, dir, file, hardLink, symlink, type TarInput } from '../support/tar-builder.ts'

let base: string
let count: number

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'tsrun-unpack-'))
  count = 0
})
afterEach(() => {
  rmSync(base, { recursive: true, force: true })
})

/** Applies one layer above `below` (top first) and returns its folder. */
async function apply(
  entries: readonly TarInput[] | Buffer,
  below: readonly string[] = [],
): Promise<string> {
  const folder = join(base, `layer${count++}`)
  mkdirSync(folder, { mode: 0o700 })
  const tar = Buffer.isBuffer(entries) ? entries : buildTar(entries)
  async function* chunks(): AsyncGenerator<Buffer> {
    // Odd pieces: headers and content are cut anywhere.
    for (let at = 0; at < tar.length; at += 70_001) yield tar.subarray(at, at + 70_001)
  }
  const applied = await applyLayer(chunks(), {
    folder,
    isBase: below.length === 0,
    overlayXattrs: 'trusted',
  })
  finishLayer(applied, { folder, below, overlayXattrs: 'trusted' })
  return folder
}

function tree(folder: string): string[] {
  return execFileSync('find', ['.', '-mindepth', '1', '-printf', '%P %y %m %U:%G\n'], {
    cwd: folder,
    encoding: 'utf8',
  })
    .split('\n')
    .filter((line) => line !== '')
    .toSorted()
}

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length
}

const opaque = (path: string): string | undefined =>
  readXattr(Buffer.from(path), 'trusted.overlay.opaque')?.toString()

describe('applyLayer()', () => {
  test('keeps modes, owners, times to the nanosecond, links, devices and fifos', async () => {
    const folder = await apply([
      dir('./', { mode: 0o755 }),
      dir('d', { mode: 0o1777, uid: 5, gid: 6, mtime: 1_000_000_000 }),
      file('d/suid', 'x', {
        mode: 0o4755,
        uid: 1000,
        gid: 1001,
        pax: { mtime: '1234567890.123456789' },
      }),
      file('d/old', 'x', { pax: { mtime: '-1.5' } }),
      hardLink('d/same', 'd/suid'),
      symlink('d/link', '/etc/passwd', { uid: 9, gid: 9, mtime: 1_111_111_111 }),
      { name: 'null', type: '3', device: [1, 3], mode: 0o666 },
      { name: 'disk', type: '4', device: [259, 0x12345], mode: 0o660 },
      { name: 'pipe', type: '6', mode: 0o640 },
    ])
    expect(tree(folder)).toEqual([
      'd d 1777 5:6',
      'd/link l 777 9:9',
      'd/old f 644 0:0',
      'd/same f 4755 1000:1001',
      'd/suid f 4755 1000:1001',
      'disk b 660 0:0',
      'null c 666 0:0',
      'pipe p 640 0:0',
    ])
    const at = (name: string) => lstatSync(join(folder, name), { bigint: true })
    expect(at('d/suid').mtimeNs).toBe(1_234_567_890_123_456_789n)
    expect(at('d/old').mtimeNs).toBe(-1_500_000_000n)
    expect(at('d').mtimeNs).toBe(1_000_000_000n * 1_000_000_000n)
    expect(at('d/link').mtimeNs).toBe(1_111_111_111n * 1_000_000_000n)
    expect(at('d/same').ino).toBe(at('d/suid').ino)
    expect(at('null').rdev).toBe(0x103n)
    expect(execFileSync('stat', ['-c', '%t:%T', join(folder, 'disk')], { encoding: 'utf8' })).toBe(
      '103:12345\n',
    )
  })

  test('keeps binary xattrs, also of folders, and drops those that speak to overlayfs', async () => {
    const capability = Buffer.from('0100000200f0ff8000000000000000000000ff0a', 'hex')
    const folder = await apply([
      file('ping', 'x', {
        pax: {
          'SCHILY.xattr.security.capability': capability.toString('latin1'),
          'SCHILY.xattr.user.a=b': 'c',
        },
      }),
      dir('d', {
        pax: { 'SCHILY.xattr.trusted.x': 'y', 'SCHILY.xattr.trusted.overlay.redirect': '/etc' },
      }),
      symlink('l', 'x', { pax: { 'SCHILY.xattr.trusted.z': '1' } }),
    ])
    const get = (name: string, key: string) => readXattr(Buffer.from(join(folder, name)), key)
    expect(get('ping', 'security.capability')).toEqual(capability)
    expect(get('d', 'trusted.x')?.toString()).toBe('y')
    expect(get('d', 'trusted.overlay.redirect')).toBeUndefined()
    expect(get('l', 'trusted.z')?.toString()).toBe('1')
  })

  test('takes long names and names that are no UTF-8, in PAX and GNU form', async () => {
    const long = `${'a'.repeat(120)}/${'b'.repeat(200)}`
    const folder = await apply([
      file(long, 'pax'),
      file(`g/${'c'.repeat(150)}`, 'gnu', { format: 'gnu' }),
      symlink('far', `${'d/'.repeat(90)}e`),
      file('caf\xe9', 'latin1'),
    ])
    expect(readFileSync(join(folder, long), 'utf8')).toBe('pax')
    expect(readFileSync(join(folder, 'g', 'c'.repeat(150)), 'utf8')).toBe('gnu')
    expect(readlinkSync(join(folder, 'far'))).toBe(`${'d/'.repeat(90)}e`)
    expect(
      readFileSync(Buffer.concat([Buffer.from(`${folder}/caf`), Buffer.from([0xe9])]), 'utf8'),
    ).toBe('latin1')
  })

  test('writes large files as they come and leaves holes of sparse ones', async () => {
    const large = Buffer.alloc(3_000_001, 'abc')
    const sparse = Buffer.concat([
      Buffer.from('2\n0\n3\n1000000\n3\n').subarray(0),
      Buffer.alloc(512 - 16),
      Buffer.from('onetwo'),
    ])
    const folder = await apply([
      file('large', large),
      file('GNUSparseFile.0/sparse', sparse, {
        pax: {
          'GNU.sparse.major': '1',
          'GNU.sparse.minor': '0',
          'GNU.sparse.name': 'sparse',
          'GNU.sparse.realsize': '2000000',
        },
      }),
      file('old', 'end', { pax: { 'GNU.sparse.map': '700000,3', 'GNU.sparse.size': '800000' } }),
    ])
    expect(readFileSync(join(folder, 'large')).equals(large)).toBe(true)
    const made = readFileSync(join(folder, 'sparse'))
    expect([
      made.length,
      made.toString('utf8', 0, 3),
      made.toString('utf8', 1_000_000, 1_000_003),
    ]).toEqual([2_000_000, 'one', 'two'])
    expect(statSync(join(folder, 'sparse')).blocks * 512).toBeLessThan(100_000)
    expect(readFileSync(join(folder, 'old')).toString('utf8', 700_000, 700_003)).toBe('end')
  })

  test('lets the last of several entries of one name win', async () => {
    const folder = await apply([
      file('a', 'one', { mode: 0o600 }),
      file('a', 'two', { mode: 0o640 }),
      dir('b'),
      file('b/inside', 'x'),
      file('b', 'now a file'),
      file('c', 'x'),
      dir('c', { mode: 0o711 }),
      symlink('d', 'a'),
      file('d', 'no link'),
      dir('e', { mode: 0o700 }),
      dir('e', { mode: 0o705 }),
    ])
    expect(tree(folder)).toEqual([
      'a f 640 0:0',
      'b f 644 0:0',
      'c d 711 0:0',
      'd f 644 0:0',
      'e d 705 0:0',
    ])
    expect(readFileSync(join(folder, 'a'), 'utf8')).toBe('two')
  })

  test('writes whiteouts and opaque folders as overlayfs has them', async () => {
    const below = await apply([
      dir('d', { mode: 0o750, uid: 3, gid: 4, mtime: 1_200_000_000 }),
      file('d/x', '1'),
      file('gone'),
    ])
    const folder = await apply(
      [
        file('.wh.gone'),
        file('d/.wh..wh..opq'),
        file('d/y', '2'),
        file('.wh..wh.plnk', 'aufs'),
        file('e/.wh.z'),
      ],
      [below],
    )
    expect(tree(folder)).toEqual([
      'd d 750 3:4',
      'd/y f 644 0:0',
      'e d 755 0:0',
      'e/z c 0 0:0',
      'gone c 0 0:0',
    ])
    expect(lstatSync(join(folder, 'gone')).rdev).toBe(0)
    expect(opaque(join(folder, 'd'))).toBe('y')
    expect(lstatSync(join(folder, 'd')).mtimeMs).toBe(1_200_000_000_000)
  })

  test('makes a folder opaque that replaces what a whiteout of the same layer hides, in either order', async () => {
    const below = await apply([file('d/low'), file('e/low')])
    const folder = await apply(
      [file('.wh.d'), dir('d'), file('d/new'), dir('e'), file('e/new'), file('.wh.e')],
      [below],
    )
    expect([opaque(join(folder, 'd')), opaque(join(folder, 'e'))]).toEqual(['y', 'y'])
    expect(tree(folder)).toEqual([
      'd d 755 0:0',
      'd/new f 644 0:0',
      'e d 755 0:0',
      'e/new f 644 0:0',
    ])
  })

  test('has no use for whiteouts in the lowest layer', async () => {
    expect(tree(await apply([file('.wh.gone'), file('a/.wh..wh..opq'), file('b')]))).toEqual([
      'a d 755 0:0',
      'b f 644 0:0',
    ])
  })

  test('brings the target of a hard link up from the layers below', async () => {
    const low = await apply([file('d/target', 'content', { mode: 0o4711, uid: 8, gid: 9 })])
    const middle = await apply([file('other')], [low])
    const folder = await apply([hardLink('link', 'd/target')], [middle, low])
    expect(readFileSync(join(folder, 'link'), 'utf8')).toBe('content')
    expect(tree(folder)).toEqual(['d d 755 0:0', 'd/target f 4711 8:9', 'link f 4711 8:9'])
    const hidden = await apply([file('.wh.d')], [low])
    await expect(apply([hardLink('link', 'd/target')], [hidden, low])).rejects.toThrow(
      /target "d\/target" of its hard link does not exist/,
    )
  })
})

describe('applyLayer() of a hostile tar (CVE-2025-47290)', () => {
  beforeEach(() => {
    mkdirSync(join(base, 'outside'))
    writeFileSync(join(base, 'outside/secret'), 'untouched')
  })
  afterEach(() => {
    expect(readdirSync(join(base, 'outside'))).toEqual(['secret'])
    expect(readFileSync(join(base, 'outside/secret'), 'utf8')).toBe('untouched')
  })

  test('puts absolute names below its own root', async () => {
    const target = join(base, 'outside/planted')
    const folder = await apply([file(target, 'x')])
    expect(readFileSync(join(folder, target), 'utf8')).toBe('x')
  })

  test.each<[string, TarInput]>([
    ['a file', file('../outside/planted', 'x')],
    ['a file deeper', file('a/../../outside/planted', 'x')],
    ['a folder', dir('../outside/d')],
    ['a symbolic link', symlink('../outside/l', 'x')],
    ['a device', { name: '..', type: '3', device: [1, 3] }],
    ['a whiteout', file('.wh...')],
    ['a whiteout of itself', file('d/.wh..')],
    ['a whiteout of nothing', file('.wh.')],
    ['a hard link', hardLink('../outside/l', 'x')],
    ['the target of a hard link', hardLink('l', '../outside/secret')],
  ])('refuses %s that climbs out', async (_, entry) => {
    const below = await apply([file('x')])
    await expect(apply([file('x'), entry], [below])).rejects.toThrow(/cannot use tar entry/)
  })

  test('resolves links in the way inside the root: nothing is written or linked through them', async () => {
    const outside = join(base, 'outside')
    const folder = await apply([
      symlink('abs', outside),
      file('abs/planted', 'x'),
      symlink('rel', '../../../../../../outside'),
      file('rel/planted2', 'x'),
      symlink('chain', 'abs/../rel'),
      dir('chain/d'),
    ])
    expect(readFileSync(join(folder, outside, 'planted'), 'utf8')).toBe('x')
    expect(readFileSync(join(folder, 'outside/planted2'), 'utf8')).toBe('x')
  })

  test('refuses a hard link through a symbolic link to the outside, and a loop of links', async () => {
    const outside = join(base, 'outside')
    await expect(apply([symlink('s', outside), hardLink('l', 's/secret')])).rejects.toThrow(
      /does not exist/,
    )
    await expect(apply([symlink('a', 'b'), symlink('b', 'a'), file('a/x')])).rejects.toThrow(
      sentence(/loop of symbolic links/),
    )
  })

  test('replaces a link by the file of the same name, and never writes through it', async () => {
    const folder = await apply([symlink('s', join(base, 'outside/secret')), file('s', 'mine')])
    expect(readFileSync(join(folder, 's'), 'utf8')).toBe('mine')
    const linked = await apply([
      symlink('s', join(base, 'outside/secret')),
      hardLink('h', 's'),
      file('h', 'mine'),
    ])
    expect(readFileSync(join(linked, 'h'), 'utf8')).toBe('mine')
  })

  test.each<[string, TarInput[] | Buffer, RegExp]>([
    ['a NUL in a name', [file('x', '', { pax: { path: 'a\0b' } })], /NUL byte/],
    ['a NUL in a link', [symlink('x', 'y', { pax: { linkpath: 'a\0b' } })], /NUL byte/],
    [
      'a component that is too long',
      [file('x', '', { pax: { path: 'a'.repeat(256) } })],
      /longer than 255/,
    ],
    [
      'a name that is too long',
      [file('x', '', { pax: { path: 'a/'.repeat(3000) } })],
      /longer than 4095/,
    ],
    [
      'a file in the way of a folder',
      [file('a', 'x'), file('a/b', 'y')],
      /a part of its name is a file/,
    ],
    ['a file in place of the root', [file('./', 'x', { name: '.' })], /replace the root/],
    ['a link to a folder', [dir('d'), hardLink('l', 'd')], /target is a folder/],
    ['an unknown type', [{ name: 'x', type: 'Q' }], /type is not supported/],
    ['an old sparse file', [{ name: 'x', type: 'S', format: 'gnu' }], /type is not supported/],
    [
      'a device number that does not exist',
      [{ name: 'x', type: '3', device: [5000, 1] }],
      /device number/,
    ],
    ['an owner that is none', [file('x', '', { pax: { uid: '4294967295' } })], /uid is not from/],
    ['a huge PAX header', [{ name: 'x', type: 'x', size: 5 * 1024 * 1024 }], /malformed|exceeds/],
    [
      'a PAX header with a lying length',
      [{ name: 'p', type: 'x', content: '-5 a=b\n' }, file('x')],
      /PAX header is malformed/,
    ],
    [
      'a sparse map that lies',
      [file('x', 'abc', { pax: { 'GNU.sparse.map': '0,900', 'GNU.sparse.size': '10' } })],
      /sparse map/,
    ],
    [
      'a truncated tar',
      buildTar([file('x', 'y'.repeat(5000))]).subarray(0, 3000),
      /malformed: Unexpected end/,
    ],
    [
      'a damaged header',
      Buffer.concat([buildTar([file('x')]).subarray(0, 512), Buffer.alloc(512, 'z')]),
      /malformed: Invalid tar header/,
    ],
  ])('refuses %s in one sentence and keeps no descriptor', async (_, input, message) => {
    await apply([file('warm')])
    const before = openDescriptors()
    await expect(apply(input)).rejects.toThrow(sentence(message))
    expect(openDescriptors()).toBe(before)
    expect(existsSync(join(base, 'planted'))).toBe(false)
  })
})

/** Matches the whole chain of causes. */
function sentence(message: RegExp) {
  return expect.toSatisfy((error: unknown) => {
    const parts: string[] = []
    for (let e: unknown = error; e instanceof Error; e = e.cause) parts.push(e.message)
    return message.test(parts.join(': '))
  }) as unknown as Error
}
