import { describe, expect, it } from 'vitest'
import { defaultRuntimeConfig } from '../../../src/oci/default-config.ts'
import { checkRootlessConfig } from '../../../src/oci/rootless-config.ts'
import type { Linux, Mount, RuntimeConfig } from '../../../src/oci/runtime-config.ts'

const CONFIG = defaultRuntimeConfig({ rootless: true, hostUid: 1000, hostGid: 1000 })

function withLinux(linux: Linux): RuntimeConfig {
  return { ...CONFIG, linux: { ...CONFIG.linux, ...linux } }
}

function withMount(mount: Partial<Mount>): RuntimeConfig {
  const mounts = [...(CONFIG.mounts ?? []), { destination: '/m', type: 'tmpfs', ...mount }]
  return { ...CONFIG, mounts }
}

function withGroups(config: RuntimeConfig): RuntimeConfig {
  const user = { uid: 0, gid: 0, additionalGids: [10] }
  return { ...config, process: { cwd: '/', ...config.process, user } }
}

const RANGE = [
  { containerID: 0, hostID: 1000, size: 1 },
  { containerID: 1, hostID: 100_000, size: 65_536 },
]

describe('checkRootlessConfig()', () => {
  it('takes what spec --rootless writes', () => {
    expect(() => checkRootlessConfig(CONFIG)).not.toThrow()
  })

  it.each([
    ['no user namespace', defaultRuntimeConfig(), 'rootless container requires user namespaces'],
    [
      'an unmapped owner',
      withMount({ options: ['uid=7'] }),
      'cannot specify uid=7 mount options for unmapped uid in rootless containers: mounts[7] (/m)',
    ],
    ['an unmapped group', withMount({ options: ['gid=5'] }), 'unmapped gid'],
    ['groups without setgroups(2)', withGroups(CONFIG), 'cannot set any additional groups'],
    [
      'tmpcopyup',
      withMount({ options: ['tmpcopyup'] }),
      'unsupported without root: mounts[7] (/m) with tmpcopyup',
    ],
    ['an id mapped mount', withMount({ options: ['ridmap'] }), 'mounts[7] (/m) with ridmap'],
    ['mappings of a mount', withMount({ uidMappings: [...RANGE] }), 'with mapped ids'],
    [
      'a time namespace',
      withLinux({ namespaces: [{ type: 'user' }, { type: 'time' }] }),
      'linux.namespaces[1] (a new time namespace)',
    ],
    ['network devices', withLinux({ netDevices: { eth0: {} } }), 'linux.netDevices'],
  ])('refuses %s', (_, config, message) => {
    expect(() => checkRootlessConfig(config)).toThrow(message)
  })

  it('allows groups and owners that ranges map', () => {
    const linux = { uidMappings: RANGE, gidMappings: RANGE }
    expect(() => checkRootlessConfig(withGroups(withLinux(linux)))).not.toThrow()
    const mounted = withMount({ options: ['gid=5'] })
    expect(() =>
      checkRootlessConfig({ ...mounted, linux: { ...mounted.linux, ...linux } }),
    ).not.toThrow()
  })

  it('leaves the ids of a joined namespace to the kernel', () => {
    const namespaces = [
      { type: 'mount' as const },
      { type: 'user' as const, path: '/proc/1/ns/user' },
    ]
    const config = withGroups(withLinux({ namespaces }))
    expect(() => checkRootlessConfig(config)).not.toThrow()
  })
})
