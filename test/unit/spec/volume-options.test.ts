import { describe, expect, it } from 'vitest'
import { parseMountOption, parseTmpfs, parseVolume } from '../../../src/spec/volume-options.ts'

const volume = (text: string) => parseVolume(text, '/home/me').mount
const mount = (text: string) => parseMountOption(text, '/home/me').mount

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
  ])('reads %s', (text, source, destination, options) => {
    expect(volume(text)).toEqual({ source, destination, type: 'bind', options })
    expect(parseVolume(text, '/home/me').createSource).toBe(true)
  })

  it.each([
    ['/data', 'unsupported: anonymous volumes'],
    ['name:/b', 'unsupported: named volumes'],
    ['/a:b', 'must be absolute'],
    ['/a:/', 'must not be /'],
    ['/a:/b/..', 'must not be /'],
    ['/a:/../..', 'must not be /'],
    [':/b', 'it has no source'],
    ['', 'unsupported: anonymous volumes'],
    ['/a:/b:ro:x', 'it must be source:destination'],
    ['/a:/b:fast', '"fast" is not an option of a volume'],
    ['/a:/b:U', 'unsupported: option "U"'],
    ['/a:/b:idmap=uids=0-1-1', 'unsupported: option'],
    ['/a:/b:toString', 'is not an option'],
    ['/a\0:/b', 'NUL'],
  ])('refuses %j', (text, reason) => {
    expect(() => volume(text)).toThrow(reason)
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
    expect(mount('type=bind,"src=a,b",dst=/b').source).toBe('/home/me/a,b')
  })

  it('reads a tmpfs', () => {
    expect(mount('type=tmpfs,dst=/t,tmpfs-size=10m,tmpfs-mode=1770,readonly')).toEqual({
      destination: '/t',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['noexec', 'nosuid', 'nodev', 'ro', 'size=10m', 'mode=1770'],
    })
  })

  it.each([
    ['', 'unsupported: type=volume'],
    ['src=v,dst=/b', 'unsupported: type=volume'],
    ['type=volume,src=v,dst=/b', 'unsupported: type=volume'],
    ['type=image,src=v,dst=/b', 'unsupported: type=image'],
    ['type=nfs,src=v,dst=/b', 'type must be bind or tmpfs'],
    ['type=bind,dst=/b', 'it has no source'],
    ['type=bind,src=/a', 'must be absolute'],
    ['type=bind,src=/a,dst=/b,dst=/c', 'it has "dst" twice'],
    ['type=bind,src=/a,dst=/b,color=red', '"color" is not a key'],
    ['type=bind,src=/a,dst=/b,volume-nocopy', 'unsupported: volume-nocopy'],
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
