/** What an empty volume gets from an image: all of it as it was there, and nothing from elsewhere. */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openFolder } from '../../src/native/open-folder.ts'
import { copyTree } from '../../src/runtime/copy-tree.ts'
import { TestEngine } from '../support/engine.ts'
import { makeImage } from '../support/make-image.ts'
import { missing } from '../support/requires.ts'
import { buildTar, dir, file, hardLink, symlink } from '../support/tar-builder.ts'

const LAYER = [
  dir('data', { mode: 0o1751, uid: 11, gid: 12 }),
  dir('data/sub', { mode: 0o700, uid: 13 }),
  file('data/sub/file', 'content', { mode: 0o4755, uid: 14, gid: 15 }),
  hardLink('data/sub/second', 'data/sub/file'),
  symlink('data/link', '/etc/passwd'),
  { name: 'data/fifo', type: '6', mode: 0o600 },
  file('data/attributed', 'x', { pax: { 'SCHILY.xattr.user.colour': 'red' } }),
  file('data/new\nline', ''),
  symlink('out', '/../../../../../../etc'),
  symlink('in', 'data/sub'),
  file('plain', 'no folder'),
]
const VOLUMES = { '/data': {}, '/out': {}, '/in': {}, '/plain/': {}, '/absent': {} }

describe.skipIf(missing('root', 'cgroup2'))('the copy into a volume', () => {
  const engine = new TestEngine()
  const id = () => engine.succeed(['create', 'app:v1', 'program'])
  const mountsOf = (container: string): { Destination: string; Source: string }[] =>
    JSON.parse(engine.succeed(['inspect', '-f', '{{json .Mounts}}', container]))

  beforeAll(() => {
    const tar = buildTar(LAYER)
    const { config } = makeImage([tar], { config: { Volumes: VOLUMES } })
    const manifest = [{ Config: 'cfg.json', RepoTags: ['app:v1'], Layers: ['layer.tar'] }]
    const archive = join(engine.directory, 'app.tar')
    const parts = [file('cfg.json', config.bytes), file('layer.tar', tar)]
    writeFileSync(archive, buildTar([...parts, file('manifest.json', JSON.stringify(manifest))]))
    engine.succeed(['load', '-i', archive])
  })
  afterAll(() => engine[Symbol.dispose]())

  it("makes the image's volumes with everything in them, and removes them with the container", () => {
    const container = id()
    const sources = new Map(mountsOf(container).map((m) => [m.Destination, m.Source]))
    expect([...sources.keys()].sort()).toEqual(['/absent', '/data', '/in', '/out', '/plain'])
    const data = sources.get('/data') ?? ''
    expect(lstatSync(data)).toMatchObject({ uid: 11, gid: 12 })
    expect(lstatSync(data).mode & 0o7777).toBe(0o1751)
    expect(lstatSync(join(data, 'sub'))).toMatchObject({ uid: 13 })
    const copied = lstatSync(join(data, 'sub/file'))
    expect([copied.mode & 0o7777, copied.uid, copied.gid, copied.nlink]).toEqual([
      0o4755, 14, 15, 2,
    ])
    expect(readFileSync(join(data, 'sub/second'), 'utf8')).toBe('content')
    expect(copied.ino).toBe(lstatSync(join(data, 'sub/second')).ino)
    expect(Math.round(copied.mtimeMs)).toBe(1_700_000_000_000)
    expect(readlinkSync(join(data, 'link'))).toBe('/etc/passwd')
    expect(lstatSync(join(data, 'fifo')).isFIFO()).toBe(true)
    expect(readdirSync(data)).toContain('new\nline')
    // A link in the image is followed inside the image.
    expect(readdirSync(sources.get('/in') ?? '')).toEqual(
      expect.arrayContaining(['file', 'second']),
    )
    for (const empty of ['/out', '/absent', '/plain'])
      expect(readdirSync(sources.get(empty) ?? '')).toEqual([])
    expect(engine.succeed(['system', 'check'])).not.toContain('volume')
    engine.succeed(['rm', '-v', container])
    expect(engine.succeed(['volume', 'ls', '-q'])).toBe('')
  })

  it('keeps the volumes of a container that is removed without -v, and checks the store', () => {
    engine.succeed(['rm', id()])
    const names = engine.succeed(['volume', 'ls', '-q']).split('\n')
    expect(names).toHaveLength(5)
    const folder = join(engine.dataRoot, 'volumes', names[0] ?? '')
    writeFileSync(join(folder, 'users', '0'.repeat(64)), '')
    rmSync(join(folder, '_data'), { recursive: true })
    const found = engine.run(['system', 'check'])
    expect(found.stdout).toContain('the folder of its files is gone')
    expect(found.stdout).toContain('container 000000000000, which uses it, is gone')
    engine.run(['system', 'check', '--repair'])
    expect(readdirSync(join(folder, 'users'))).toEqual([])
    expect(engine.succeed(['volume', 'prune', '-f'])).toContain(names[0])
    expect(engine.succeed(['volume', 'ls', '-q'])).toBe('')
  })
})

describe.skipIf(missing('root'))('copyTree()', () => {
  it('never writes outside its target, whatever is put in its way', async () => {
    const root = mkdtempSync(join(tmpdir(), 'tsrun-race-'))
    const at = (name: string) => join(root, name)
    for (const name of ['from', 'from/a', 'from/a/b', 'from/a/c', 'to', 'outside'])
      mkdirSync(at(name))
    for (const name of ['from/a/f', 'from/a/b/f', 'from/a/c/f']) writeFileSync(at(name), 'x')
    chmodSync(at('from/a'), 0o777)
    using source = openFolder(at('from'))
    using target = openFolder(at('to'))
    let isCopied = false
    const copied = copyTree(source.fd, target.fd).finally(() => {
      isCopied = true
    })
    // It lets others run before each folder: the one that it has just made becomes a link that leads out.
    let swaps = 0
    while (!isCopied) {
      if (lstatSync(at('to/a'), { throwIfNoEntry: false })?.isDirectory()) {
        renameSync(at('to/a'), at('moved'))
        symlinkSync(at('outside'), at('to/a'))
        swaps++
      }
      await setImmediate()
    }
    await copied
    expect(swaps).toBe(1)
    expect(readdirSync(at('outside'))).toEqual([])
    expect(lstatSync(at('outside')).mode & 0o777).toBe(0o755)
    // All of it went where the folder is.
    expect(readdirSync(at('moved')).sort()).toEqual(['b', 'c', 'f'])
    expect(lstatSync(at('moved')).mode & 0o777).toBe(0o777)
    rmSync(root, { recursive: true })
  })
})
