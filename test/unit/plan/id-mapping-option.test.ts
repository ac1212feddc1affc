/** How the ids of a mount are mapped, from its fields and options. */
import { describe, expect, it } from 'vitest'
import type { Linux, Mount } from '../../../src/oci/runtime-config.ts'
import { mountIdMapping } from '../../../src/plan/compile/id-mapping-option.ts'

const CONTAINER = [
  { containerID: 0, hostID: 0, size: 1 },
  { containerID: 1, hostID: 2, size: 1000 },
]
const OWN = [{ containerID: 5, hostID: 6, size: 7 }]

function mapping(mount: Partial<Mount>, linux: Linux = {}) {
  return mountIdMapping(
    { ociVersion: '1.2.0', root: { path: 'rootfs' }, linux },
    { destination: '/data', ...mount },
  )
}

describe('mountIdMapping()', () => {
  it('is none for a mount that asks for none', () => {
    expect(mapping({ options: ['bind', 'ro'] }, { uidMappings: CONTAINER })).toBeUndefined()
  })

  it('takes the mappings of the mount before those of the container', () => {
    const mount = { options: ['bind', 'ridmap'], uidMappings: OWN, gidMappings: OWN }
    const expected = { recursive: true, uids: OWN, gids: OWN }
    expect(mapping(mount, { uidMappings: CONTAINER, gidMappings: CONTAINER })).toEqual(expected)
    expect(mapping({ ...mount, options: ['bind'] })).toEqual({ ...expected, recursive: false })
  })

  it('takes the mappings of the container, or the user namespace that it joins', () => {
    const mount = { options: ['bind', 'idmap'] }
    expect(mapping(mount, { uidMappings: CONTAINER, gidMappings: OWN })).toEqual({
      recursive: false,
      uids: CONTAINER,
      gids: OWN,
    })
    expect(mapping(mount, { namespaces: [{ type: 'user', path: '/proc/7/ns/user' }] })).toEqual({
      recursive: false,
      path: '/proc/7/ns/user',
    })
  })

  // The example of crun(1).
  it('counts ids after @ from those of the container', () => {
    expect(
      mapping(
        { options: ['bind', 'idmap=uids=@1-3-10;gids=0-1-10#10-11-10'] },
        { uidMappings: CONTAINER },
      ),
    ).toEqual({
      recursive: false,
      uids: [{ containerID: 1, hostID: 4, size: 10 }],
      gids: [
        { containerID: 0, hostID: 1, size: 10 },
        { containerID: 10, hostID: 11, size: 10 },
      ],
    })
  })

  it.each([
    '',
    'uids=0-0-1',
    'uids=0-0-1;gids=0-0',
    'uids=0-0-1;gids=0-0-1;pids=0-0-1',
    'uids=0-0-1;gids=-1-0-1',
    'uids=0-0-1;gids=0-0-99999999999',
    'uids=@9000-9000-1;gids=0-0-1',
    'uids=0x1-0-1;gids=0-0-1',
  ])('refuses idmap=%s', (text) => {
    expect(() => mapping({ options: ['bind', `idmap=${text}`] })).toThrow(/cannot map the ids/)
  })
})
