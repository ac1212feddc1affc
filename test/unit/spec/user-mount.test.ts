import { describe, expect, it } from 'vitest'
import { parseMountOption } from '../../../src/spec/mount-option.ts'
import { parseTmpfs } from '../../../src/spec/tmpfs-options.ts'
import { directMount } from '../../../src/spec/user-mount.ts'
import { parseVolume } from '../../../src/spec/volume-option.ts'

const volume = (text: string) => directMount(parseVolume(text, '/home/me'))
const mount = (text: string) => directMount(parseMountOption(text, '/home/me'))

describe('parseVolume()', () => {
  it.each([
    ['/a:/b', '/a', '/b', ['rbind', 'rprivate']],
    ['/a:/b:ro', '/a', '/b', ['rbind', 'rprivate', 'ro', 'rro']],
    ['/a:/b:rw,rslave,z', '/a', '/b', ['rbind', 'rslave']],
    ['/a:/b:bind,ro', '/a', '/b', ['bind', 'rprivate', 'ro']],
    ['./a:/b/../c/', '/home/me/a', '/c', ['rbind', 'rprivate']],
    ['../a:/b', '/home/a', '/b', ['rbind', 'rprivate']],
    ['.:/b', '/home/me', '/b', ['rbind', 'rprivate']],
    ['/a:/b:cached,Z', '/a', '/b', ['rbind', 'rprivate']],
    ['/a:/b:noexec,nosuid', '/a', '/b', ['rbind', 'rprivate', 'noexec', 'nosuid']],
    [
      '/a:/b:idmap=uids=0-1-1;gids=0-1-1',
      '/a',
      '/b',
      ['rbind', 'rprivate', 'idmap=uids=0-1-1;gids=0-1-1'],
    ],
  ])('reads %s', (text, source, destination, options) => {
    expect(volume(text)).toEqual({ source, destination, type: 'bind', options })
    expect(parseVolume(text, '/home/me').createSource).toBe(true)
  })

  it.each([
    ['data', 'must be absolute'],
    ['na/me:/b', 'neither a path'],
    ['-v:/b', 'neither a path'],
    ['é:/b', 'neither a path'],
    ['name:/b:rslave', 'a volume has no propagation'],
    ['/a:/b:nocopy', 'is for volumes'],
    ['/a:b', 'must be absolute'],
    ['/a:/', 'must not be /'],
    ['/a:/b/..', 'must not be /'],
    ['/a:/../..', 'must not be /'],
    [':/b', 'it has no source'],
    ['', 'must be absolute'],
    ['/a:/b:ro:x', 'it must be source:destination'],
    ['/a:/b:fast', '"fast" is not an option of a volume'],
    ['/a:/b:toString', 'is not an option'],
    ['/a\0:/b', 'NUL'],
  ])('refuses %j', (text, reason) => {
    expect(() => volume(text)).toThrow(reason)
  })

  it('tells volumes from paths, with what the engine must do for them', () => {
    const read = (text: string) => parseVolume(text, '/w')
    expect(read('/b')).toMatchObject({ type: 'volume', destination: '/b', copyUp: true })
    expect(read('/b').source).toBeUndefined()
    expect(read('v:/b:ro,nocopy,z')).toMatchObject({
      type: 'volume',
      source: 'v',
      readOnly: true,
      copyUp: false,
      mode: 'ro,nocopy,z',
    })
    expect(read('/a:/b:U')).toMatchObject({ type: 'bind', chown: true })
    expect(read('/a:/b:O,ro')).toMatchObject({ type: 'bind', overlay: true, readOnly: true })
    for (const text of ['/b', 'v:/b', '/a:/b:U', '/a:/b:O'])
      expect(directMount(read(text))).toBeUndefined()
  })
})

describe('parseMountOption()', () => {
  it.each([
    ['type=bind,src=/a,dst=/b', ['rbind', 'rprivate']],
    ['type=bind,source=/a,target=/b,readonly', ['rbind', 'rprivate', 'ro', 'rro']],
    ['type=bind,source=/a,target=/b,ro=false', ['rbind', 'rprivate']],
    [
      'type=bind,source=/a,target=/b,readonly=true,bind-recursive=writable',
      ['rbind', 'rprivate', 'ro'],
    ],
    [
      'type=bind,source=/a,destination=/b,bind-recursive=disabled,bind-propagation=rshared',
      ['bind', 'rshared'],
    ],
    ['TYPE=bind,src=/a,dst=/b,bind-nonrecursive', ['bind', 'rprivate']],
  ])('reads %s', (text, options) => {
    expect(mount(text)).toEqual({ source: '/a', destination: '/b', type: 'bind', options })
    expect(parseMountOption(text, '/').createSource).toBe(false)
  })

  it('reads quoted fields and relative sources', () => {
    expect(mount('type=bind,"src=a,b",dst=/b')?.source).toBe('/home/me/a,b')
  })

  it('reads a tmpfs', () => {
    expect(mount('type=tmpfs,dst=/t,tmpfs-size=10m,tmpfs-mode=1770,readonly')).toEqual({
      destination: '/t',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['noexec', 'nosuid', 'nodev', 'ro', 'size=10m', 'mode=1770'],
    })
  })

  it('reads a volume with all its keys', () => {
    const text =
      'src=v,dst=/b,readonly,volume-subpath=a/b,volume-nocopy,volume-label=x=1,volume-label=y,volume-driver=local,volume-opt=type=tmpfs,volume-opt=device=tmpfs,"volume-opt=o=size=1m,ro"'
    expect(parseMountOption(text, '/')).toMatchObject({
      type: 'volume',
      source: 'v',
      destination: '/b',
      readOnly: true,
      subpath: 'a/b',
      copyUp: false,
      options: ['rbind', 'rprivate', 'ro', 'rro'],
      settings: {
        driver: 'local',
        driverOptions: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,ro' },
        labels: { x: '1', y: '' },
      },
    })
    expect(parseMountOption('dst=/b', '/').source).toBeUndefined()
  })

  it('reads an image, which cannot be written unless asked for', () => {
    const read = (text: string) => parseMountOption(text, '/')
    expect(read('type=image,src=busybox,dst=/b,image-subpath=etc')).toMatchObject({
      type: 'image',
      source: 'busybox',
      subpath: 'etc',
      readOnly: true,
      options: ['bind', 'rprivate', 'ro'],
    })
    expect(read('type=image,src=busybox,dst=/b,rw').options).toEqual(['bind', 'rprivate'])
  })

  it("reads podman's types and keys", () => {
    expect(mount('type=ramfs,dst=/r')).toMatchObject({ type: 'ramfs', source: 'ramfs' })
    expect(mount('type=devpts,dst=/p')?.options).toContain('newinstance')
    expect(parseMountOption('type=bind,src=/a,dst=/b,U=true', '/').chown).toBe(true)
    expect(parseMountOption('type=bind,src=/a,dst=/b,bind-create-src', '/').createSource).toBe(true)
  })

  it.each([
    ['', '"" is not a key'],
    ['src=v', 'must be absolute'],
    ['type=nfs,src=v,dst=/b', 'type must be one of'],
    ['type=glob,src=/v*,dst=/b', 'unsupported: type=glob'],
    ['type=npipe,src=v,dst=/b', 'unsupported: type=npipe'],
    ['type=volume,src=/v,dst=/b', 'is not the name of a volume'],
    ['type=volume,src=v,dst=/b,volume-subpath=/etc', 'relative path'],
    ['type=volume,src=v,dst=/b,volume-subpath=a/../../b', 'relative path'],
    ['type=volume,src=v,dst=/b,volume-opt==x', 'volume-opt has no name'],
    ['type=image,dst=/b', 'it has no source'],
    ['type=bind,src=/a,dst=/b,bind-recursive=writable', 'needs readonly'],
    [
      'type=bind,src=/a,dst=/b,ro,bind-recursive=readonly,bind-propagation=rslave',
      'needs bind-propagation=rprivate',
    ],
    ['type=bind,dst=/b', 'it has no source'],
    ['type=bind,src=/a', 'must be absolute'],
    ['type=bind,src=/a,dst=/b,dst=/c', 'it has "dst" twice'],
    ['type=bind,src=/a,dst=/b,color=red', '"color" is not a key'],
    ['type=bind,src=/a,dst=/b,volume-nocopy', 'volume-nocopy is not a key of type=bind'],
    ['type=bind,src=/a,dst=/b,readonly=maybe', 'must be true or false'],
    ['type=bind,src=/a,dst=/b,bind-propagation=public', 'is not a propagation'],
    ['type=bind,src=/a,dst=/b,bind-recursive=x', 'bind-recursive must be'],
    ['type=tmpfs,dst=/t,src=/a', '"source" is not a key'],
    ['type=tmpfs,dst=/t,tmpfs-mode=9', 'has no valid value'],
    ['type=tmpfs,dst=/t,tmpfs-size=1m\\,exec', 'is not a key'],
    ['type=bind,"src=/a', 'its quotes do not match'],
  ])('refuses %j', (text, reason) => {
    expect(() => mount(text)).toThrow(reason)
  })
})

describe('parseTmpfs()', () => {
  it('puts the options of the user after the defaults', () => {
    expect(parseTmpfs('/t:exec,size=64m,mode=1777').options).toEqual([
      'noexec',
      'nosuid',
      'nodev',
      'exec',
      'size=64m',
      'mode=1777',
    ])
    expect(parseTmpfs('/t').options).toEqual(['noexec', 'nosuid', 'nodev'])
  })

  it.each([
    't',
    '/',
    '/t:evil',
    '/t:size=',
    '/t:size=1x',
    '/t:mode=8',
    '/t:uid=-1',
    '/t:size',
    '/t:toString=1',
    '/t:source=/etc',
    '/t\0',
  ])('refuses %j', (text) => {
    expect(() => parseTmpfs(text)).toThrow(/^cannot use tmpfs /)
  })
})
