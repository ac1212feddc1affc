/** What is wrong with an entry of `mounts` before the kernel sees it. */
import { describe, expect, it } from 'vitest'
import { JsonCursor, type Problem } from '../../../src/oci/json-cursor.ts'
import { checkMount } from '../../../src/oci/validate-mounts.ts'

const MAPPING = [{ containerID: 0, hostID: 1000, size: 1 }]

function problemsOf(mount: unknown, namespaces: readonly string[] = []): readonly string[] {
  const problems: Problem[] = []
  const kinds = new Map(namespaces.map((kind) => [kind as 'user', undefined]))
  checkMount(JsonCursor.root(mount, problems), kinds)
  return problems.map(({ pointer, message }) => `${pointer} ${message}`)
}

describe('checkMount()', () => {
  it.each([
    { destination: '/x', type: 'tmpfs' },
    { destination: 'x/y', type: 'tmpfs', options: ['size=1m', 'nosuid', 'tmpcopyup'] },
    { destination: '/x', source: '/y', options: ['rbind', 'rro', 'rslave', 'nosymfollow', 'sync'] },
    { destination: '/x', type: 'none', source: '/y', options: ['bind', ''] },
    { destination: '/', options: ['remount', 'ro'] },
    { destination: '/proc', type: 'proc' },
    { destination: '/proc', type: 'sysfs', options: ['rbind'] },
    { destination: '/x', type: 'bind', uidMappings: MAPPING, gidMappings: MAPPING },
    { destination: '/x', options: ['bind', 'idmap=uids=0-1-1;gids=0-1-1'] },
    { destination: '/x', options: ['bind', 'src-nofollow'] },
  ])('takes %j', (mount) => {
    expect(problemsOf(mount)).toEqual([])
  })

  it.each([
    [{ type: 'tmpfs' }, '/destination is required'],
    [{ destination: '/x' }, '/type is required without bind or rbind in options'],
    [{ destination: '/a/..', type: 'tmpfs' }, '/destination must not be the root of the container'],
    [
      { destination: '//proc/./', type: 'tmpfs' },
      '/type must be proc for a mount on /proc, not "tmpfs"',
    ],
    [
      { destination: '/x', options: ['bind', 'size=1'] },
      '/options/1 "size=1" is an option of a file system, which a bind mount cannot have',
    ],
    [
      { destination: '/x', type: 'bind', options: ['tmpcopyup'] },
      '/options has tmpcopyup, which only a mount of type tmpfs can have',
    ],
    [
      { destination: '/x', type: 'tmpfs', uidMappings: MAPPING, gidMappings: MAPPING },
      ' must be a bind mount to have its ids mapped',
    ],
    [
      { destination: '/x', options: ['bind', 'ridmap'] },
      '/options has ridmap, which needs uidMappings and gidMappings, or a user namespace',
    ],
    [
      { destination: '/x', options: ['bind'], uidMappings: MAPPING },
      ' must have both uidMappings and gidMappings or neither',
    ],
  ])('refuses %j', (mount, expected) => {
    expect(problemsOf(mount)).toEqual([expected])
  })

  it('takes idmap alone in a container with a user namespace', () => {
    expect(problemsOf({ destination: '/x', options: ['bind', 'idmap'] }, ['user'])).toEqual([])
  })
})
