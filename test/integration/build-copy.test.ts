/** COPY and its sources on the real kernel: what goes where, with which attributes, and nothing out of either root. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { hashSources } from '../../src/engine/build/hash-sources.ts'
import { openFolder } from '../../src/native/open-folder.ts'
import { OwnedFd } from '../../src/native/owned-fd.ts'
import { readXattr, writeXattrs } from '../../src/native/xattrs.ts'
import { CopyFolders, type Files, filesOf, make, type Wanted } from '../support/copy-folders.ts'
import { missing } from '../support/requires.ts'

const folder = new CopyFolders()
const copy = folder.copy.bind(folder)
let context = ''
let root = ''

beforeEach(() => {
  folder.renew()
  context = folder.context
  root = folder.root
})
afterAll(() => folder[Symbol.dispose]())

function setXattr(path: string, value: string): void {
  using file = new OwnedFd(openSync(path, 'r'))
  writeXattrs(file.fd, [['user.tsrun', Buffer.from(value)]])
}

function ignoring(...lines: readonly string[]): Wanted {
  return { ignore: { path: '.dockerignore', text: lines.join('\n') } }
}

describe.skipIf(missing('root'))('copyIntoRoot()', () => {
  test.each<[words: string, wanted: Wanted, expected: Files]>([
    ['a.txt /x', {}, { x: 'a' }],
    ['a.txt /x/', {}, { x: { 'a.txt': 'a' } }],
    ['a.txt x/y', { workingDirectory: '/w' }, { w: { x: { y: 'a' } } }],
    ['a.txt .', { workingDirectory: '/w' }, { w: { 'a.txt': 'a' } }],
    ['a.txt b.txt ./', {}, { 'a.txt': 'a', 'b.txt': 'b' }],
    ['src /x', {}, { x: { 'm.c': 'm', sub: { n: 'n' } } }],
    ['src/ /x/', {}, { x: { 'm.c': 'm', sub: { n: 'n' } } }],
    ['. /x', ignoring('*', '!src/sub'), { x: { src: { sub: { n: 'n' } } } }],
    ['../../a.txt /x', {}, { x: 'a' }],
    ['/a.txt /../../x', {}, { x: 'a' }],
    ['*.txt /x/', {}, { x: { 'a.txt': 'a', 'b.txt': 'b', 'to-a.txt': 'a' } }],
    ['?.txt /x/', ignoring('b*'), { x: { 'a.txt': 'a' } }],
    ['s*/*.c /x/', {}, { x: { 'm.c': 'm' } }],
    ['s[q-s]c /x/', {}, { x: { 'm.c': 'm', sub: { n: 'n' } } }],
    ['nothing* a.txt /x/', {}, { x: { 'a.txt': 'a' } }],
    ['to-a.txt /x', {}, { x: 'a' }],
    ['to-src /x', {}, { x: { 'm.c': 'm', sub: { n: 'n' } } }],
    ['src /x', { excludes: ['*.c'] }, { x: { sub: { n: 'n' } } }],
    ['*.txt /x/', { excludes: ['b.*', 'to*'] }, { x: { 'a.txt': 'a' } }],
    ['src/sub/n a.txt /x/', { parents: true }, { x: { src: { sub: { n: 'n' } }, 'a.txt': 'a' } }],
    ['src/./sub/n /x/', { parents: true }, { x: { sub: { n: 'n' } } }],
    ['src/sub /x/', { parents: true }, { x: { src: { sub: { n: 'n' } } } }],
    ['**/n /x/', { parents: true }, { x: { src: { sub: { n: 'n' } } } }],
  ])('%s %j', async (words, wanted, expected) => {
    make(context, {
      'a.txt': 'a',
      'b.txt': 'b',
      'to-a.txt': '-> a.txt',
      'to-src': '-> src',
      src: { 'm.c': 'm', sub: { n: 'n' } },
    })
    await copy(words, wanted)
    expect(filesOf(root)).toEqual(expected)
  })

  test('merges folders, and replaces files and links by files', async () => {
    make(context, { d: { f: 'new', sub: { g: 'g' }, l: 'new' } })
    make(root, { d: { f: 'old', sub: { h: 'h' }, l: '-> f' } })
    await copy('d /d')
    expect(filesOf(root)).toEqual({ d: { f: 'new', sub: { g: 'g', h: 'h' }, l: 'new' } })
  })

  test('follows links of the root where they lead to folders', async () => {
    make(context, { rootfs: { lib: { x: 'x' }, y: 'y' } })
    make(root, { lib: '-> usr/lib', usr: { lib: {} }, new: '-> usr/made' })
    await copy('rootfs /')
    await copy('rootfs/y /lib/')
    await copy('rootfs/y /new/')
    expect(filesOf(root)).toEqual({
      lib: '-> usr/lib',
      new: '-> usr/made',
      usr: { lib: { x: 'x', y: 'y' }, made: { y: 'y' } },
      y: 'y',
    })
  })

  test('does not depend on the root with --link', async () => {
    make(context, { a: 'a', tree: { lib: { x: 'x' } } })
    make(root, {
      usr: { old: 'o' },
      lib: '-> usr',
      file: 'f',
      folder: { old: 'o' },
      own: { y: 'y' },
    })
    await copy('a /lib/', { link: true })
    await copy('a /file/deep/', { link: true })
    await copy('a /folder', { link: true })
    await copy('tree /own', { link: true })
    expect(filesOf(root)).toEqual({
      usr: { old: 'o' },
      lib: { a: 'a' },
      file: { deep: { a: 'a' } },
      folder: 'a',
      own: { y: 'y', lib: { x: 'x' } },
    })
  })

  test('gives files to root or to whom --chown names, and keeps modes and times', async () => {
    make(context, { d: { f: 'f', s: 's' } })
    make(root, { etc: { passwd: 'app:x:5:6::/:\n', group: 'staff:x:7:\n' } })
    execFileSync('chown', ['-R', '9:9', join(context, 'd')])
    chmodSync(join(context, 'd'), 0o2750)
    chmodSync(join(context, 'd/s'), 0o4711)
    for (const name of ['f', 's', '.']) utimesSync(join(context, 'd', name), 1000, 2000)
    const facts = (path: string) => {
      const { mode, uid, gid, mtimeMs } = statSync(join(root, path))
      return [(mode & 0o7777).toString(8), uid, gid, mtimeMs]
    }
    await copy('d /plain')
    await copy('. /deep')
    expect(facts('deep/d')).toEqual(['2750', 0, 0, 2_000_000])
    expect(facts('plain').slice(0, 3)).toEqual(['755', 0, 0])
    expect(['plain/f', 'plain/s'].map(facts)).toEqual([
      ['644', 0, 0, 2_000_000],
      ['4711', 0, 0, 2_000_000],
    ])
    await copy('d /kept', { keepOwners: true })
    expect(facts('kept/f')).toEqual(['644', 9, 9, 2_000_000])
    const owners = ['app', 'app:staff', '8', '8:staff', 'app:3']
    for (const [index, chown] of owners.entries()) await copy(`d/f /o/${index}`, { chown })
    expect(owners.map((_, index) => facts(`o/${index}`).slice(1, 3))).toEqual([
      [5, 6],
      [5, 7],
      [8, 8],
      [8, 7],
      [5, 3],
    ])
    expect(facts('o').slice(0, 3)).toEqual(['755', 5, 6])
    await copy('d /m', { chmod: 'u=rwX,go=rX', latestTime: 1_000_000_000n })
    expect(['m', 'm/f', 'm/s'].map(facts)).toEqual([
      ['755', 0, 0, 1000],
      ['644', 0, 0, 1000],
      ['755', 0, 0, 1000],
    ])
  })

  test('keeps links, hard links, xattrs, holes, fifos and devices', async () => {
    make(context, { d: { a: 'a', l: '-> /nowhere' } })
    linkSync(join(context, 'd/a'), join(context, 'd/b'))
    const shell = `cd ${context}/d
      mkfifo fifo; mknod null c 1 3; truncate -s 64G sparse; printf end >> sparse
      cp a sole`
    execFileSync('sh', ['-ec', shell])
    setXattr(join(context, 'd/a'), 'x')
    setXattr(join(context, 'd/sole'), 'y')
    await copy('d /d')
    await copy('d/sole /')
    const at = (name: string) => lstatSync(join(root, 'd', name))
    expect(at('a').ino).toBe(at('b').ino)
    expect(at('fifo').isFIFO()).toBe(true)
    expect([at('null').isCharacterDevice(), at('null').rdev]).toEqual([true, 0x103])
    expect(readlinkSync(join(root, 'd/l'))).toBe('/nowhere')
    expect(at('sparse').size).toBe(64 * 2 ** 30 + 3)
    expect(at('sparse').blocks).toBeLessThan(1000)
    const value = (path: string) => String(readXattr(Buffer.from(join(root, path)), 'user.tsrun'))
    expect([value('d/a'), value('sole')]).toEqual(['x', 'y'])
  })

  test('leaves sockets out and says so', async () => {
    make(context, { d: { f: 'f' } })
    const script = `require('net').createServer().listen(${JSON.stringify(`${context}/d/s`)}, () => process.exit())`
    execFileSync(process.execPath, [
      '-e',
      `process.on('exit', () => process.reallyExit()); ${script}`,
    ])
    const warnings: string[] = []
    await copy('d /d', { warn: (message) => warnings.push(message) })
    expect(filesOf(root)).toEqual({ d: { f: 'f' } })
    expect(warnings).toEqual(['"d/s" is not copied: it is a socket'])
  })

  test('makes files of here-documents', async () => {
    make(root, { d: {} })
    const inline = [
      { name: 'one', content: 'ä\n' },
      { name: 'two', content: '' },
    ]
    await copy('/d/', { inline })
    await copy('/d', { inline: inline.slice(0, 1) })
    await copy('/e', { inline: inline.slice(0, 1), chmod: '0700' })
    expect(filesOf(root)).toEqual({ d: { one: 'ä\n', two: '' }, e: 'ä\n' })
    expect(statSync(join(root, 'e')).mode & 0o777).toBe(0o700)
  })

  test.each<[words: string, wanted: Wanted, message: string]>([
    ['gone /x', {}, 'cannot copy "gone": the build context has no such file or directory'],
    ['a.txt/b /x', {}, 'has no such file'],
    ['dangling /x', {}, 'has no such file'],
    ['loop /x', {}, 'cannot follow "loop": its symbolic links lead in a circle'],
    ['out /x', {}, 'has no such file'],
    ['a.txt /x', ignoring('a*'), 'has no such file'],
    ['to-a.txt /x', ignoring('a*'), 'has no such file'],
    ['[ /x', {}, 'cannot copy "[": it is no pattern'],
    ['a.txt src /x', {}, 'cannot copy several sources to "/x": it must be a folder'],
    ['src /file', {}, 'cannot copy a folder to "/file": a file stands there'],
    ['a.txt /file/x', {}, '"/file" is no directory'],
    ['a.txt /file/', {}, '"/file" is no directory'],
    ['clash /folder', {}, 'cannot write "/folder/sub": a file cannot replace a directory'],
    ['hsalc /folder', {}, 'cannot write "/folder/f": a directory cannot replace a file'],
    ['a.txt /circle/x', {}, 'its symbolic links lead in a circle'],
    [
      'a.txt /x',
      { chown: 'nobody-here' },
      'cannot use --chown "nobody-here": the container\'s /etc/passwd has no user',
    ],
    ['a.txt /x', { chown: '1:2:3' }, 'cannot use --chown "1:2:3"'],
    ['a.txt /x', { chown: '4294967296' }, 'ids are from 0 to'],
    ['a.txt /x', { chmod: '9' }, 'cannot use --chmod "9"'],
    [
      '.wh.a /x/',
      {},
      'cannot copy ".wh.a": in layers of images a name with ".wh." at its start means',
    ],
    ['src /x', { excludes: ['['] }, 'cannot use --exclude'],
    ['src\0 /x', {}, 'it has a NUL byte'],
    ['src /x\0', {}, 'it has a NUL byte'],
  ])('refuses %s %j', async (words, wanted, message) => {
    make(context, {
      'a.txt': 'a',
      'to-a.txt': '-> a.txt',
      dangling: '-> gone',
      loop: '-> loop',
      out: '-> ../outside',
      '.wh.a': '',
      src: { f: 'f' },
      clash: { sub: 'x' },
      hsalc: { f: { x: 'x' } },
    })
    make(join(context, '..'), { outside: 'secret' })
    make(root, { file: 'file', folder: { sub: {}, f: 'f' }, circle: '-> circle' })
    await expect(copy(words, wanted)).rejects.toThrow(message)
  })

  test('stays in both roots, whatever links there are', async () => {
    writeFileSync(`${folder.path}/secret`, 'secret')
    const up = '../'.repeat(30)
    make(context, {
      abs: `-> ${folder.path}/secret`,
      up: `-> ${up}etc`,
      d: { l: `-> ${up}${folder.path}/secret`, '\n name': 'x' },
    })
    for (const word of ['abs', 'up', 'up/passwd', 'd/l'])
      await expect(copy(`${word} /x`)).rejects.toThrow('has no such file')
    make(root, { etc: `-> ${up}${context}`, abs: `-> ${folder.path}` })
    await copy('d /etc/new')
    await copy('d /abs')
    expect(existsSync(join(context, 'new'))).toBe(false)
    expect(readFileSync(join(root, folder.path, '\n name'), 'utf8')).toBe('x')
    expect(readdirSync(folder.path)).not.toContain('\n name')
  })
})

describe.skipIf(missing('root'))('hashSources()', () => {
  async function hash(words: string, wanted: Wanted = {}): Promise<string> {
    using source = openFolder(context)
    const none = {
      ignore: undefined,
      inline: [],
      excludes: [],
      parents: false,
      keepOwners: false,
    }
    const sources = { kind: 'copy', folderName: 'the build context', ...none, ...wanted } as const
    return await hashSources({ ...sources, folder: source, patterns: words.split(' ') })
  }

  test('changes with all that a copy has, and not with times or what is left out', async () => {
    make(context, { d: { f: 'f', l: '-> f' } })
    const path = (name: string) => join(context, 'd', name)
    const seen = new Set([await hash('d')])
    const changes: (() => void)[] = [
      () => writeFileSync(path('f'), 'g'),
      () => chmodSync(path('f'), 0o600),
      () => writeFileSync(path('g'), ''),
      () => setXattr(path('f'), 'b'),
      () => execFileSync('ln', ['-sfn', 'g', path('l')]),
      () => execFileSync('mv', [path('g'), path('h')]),
      () => execFileSync('ln', [path('h'), path('hard')]),
      () => execFileSync('truncate', ['-s', '1M', path('f')]),
    ]
    for (const change of changes) {
      change()
      expect(seen).not.toContain(await hash('d'))
      seen.add(await hash('d'))
    }
    const before = await hash('d')
    const owned = await hash('d', { keepOwners: true })
    utimesSync(path('f'), 1, 1)
    execFileSync('chown', ['5', path('f')])
    expect(await hash('d')).toBe(before)
    expect(await hash('d', { keepOwners: true })).not.toBe(owned)
    make(context, { left: 'out' })
    expect(await hash('.', ignoring('left'))).not.toBe(await hash('.'))
    expect(await hash('d', { inline: [{ name: 'a', content: 'b' }] })).not.toBe(before)
    await expect(hash('gone')).rejects.toThrow('has no such file')
  })

  test('with --parents changes with the pivot, and with the folders that are kept above a source', async () => {
    make(context, { a: { b: { f: 'f' } } })
    const words = ['a/b/f', 'a/./b/f', './a/b/./f', 'a/b', './a/./b']
    const hashAll = () => Promise.all(words.map((word) => hash(word, { parents: true })))
    const before = await hashAll()
    expect(new Set(before).size).toBe(words.length)
    chmodSync(join(context, 'a'), 0o700)
    const after = await hashAll()
    const changed = after.map((digest, i) => digest !== before[i])
    expect(changed).toEqual([true, false, false, true, false])
    expect(await hash('a/b/f')).toBe(await hash('./a/b/f'))
  })
})
