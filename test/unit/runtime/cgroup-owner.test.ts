import { describe, expect, it } from 'vitest'
import type { RuntimeConfig } from '../../../src/oci/runtime-config.ts'
import { cgroupOwner } from '../../../src/runtime/cgroup-owner.ts'

const MOUNT = {
  destination: '/sys/fs/cgroup',
  type: 'cgroup',
  source: 'cgroup',
  options: ['nosuid'],
}
const MAPPINGS = [
  { containerID: 0, hostID: 100000, size: 10 },
  { containerID: 10, hostID: 7, size: 1 },
]

const config = (change: Partial<RuntimeConfig> = {}, uid = 1000): RuntimeConfig => ({
  ociVersion: '1.3.0',
  process: { cwd: '/', args: ['true'], user: { uid, gid: 0 } },
  mounts: [MOUNT],
  linux: { namespaces: [{ type: 'cgroup' }] },
  ...change,
})
const inUserNamespace = {
  linux: { namespaces: [{ type: 'cgroup' }, { type: 'user' }], uidMappings: MAPPINGS },
} as const

describe('cgroupOwner()', () => {
  it('is the user of the process, as the host knows it', () => {
    expect(cgroupOwner(config())).toBe(1000)
    expect(cgroupOwner(config(inUserNamespace, 0))).toBe(100000)
    expect(cgroupOwner(config(inUserNamespace, 9))).toBe(100009)
    expect(cgroupOwner(config(inUserNamespace, 10))).toBe(7)
  })

  it.each<[string, RuntimeConfig]>([
    ['root of the host', config({}, 0)],
    ['a user that is not mapped', config(inUserNamespace, 11)],
    ['no process', config({ process: undefined as never })],
    ['a read-only mount', config({ mounts: [{ ...MOUNT, options: ['ro'] }] })],
    [
      'a mount that is read-only with all below',
      config({ mounts: [{ ...MOUNT, options: ['rro'] }] }),
    ],
    ['another source', config({ mounts: [{ ...MOUNT, source: 'tmpfs' }] })],
    ['another destination', config({ mounts: [{ ...MOUNT, destination: '/sys/fs' }] })],
    ['no cgroup namespace', config({ linux: {} })],
    [
      'one that is joined',
      config({ linux: { namespaces: [{ type: 'cgroup', path: '/proc/1/ns/cgroup' }] } }),
    ],
  ])('is nobody else with %s', (_, given) => {
    expect(cgroupOwner(given)).toBeUndefined()
  })
})
