import { describe, expect, it } from 'vitest'
import { runtimeFeatures } from '../../../src/oci/features.ts'

describe('runtimeFeatures()', () => {
  const features = runtimeFeatures({
    version: '0.1.0',
    mountOptions: ['ro', 'bind', 'rro', 'ro'],
    lastCapability: 39,
    seccomp: { enabled: true },
    apparmor: false,
    selinux: false,
    idmapMounts: true,
    systemdCgroup: false,
  })

  it('holds what CRI-O reads', () => {
    expect(features.ociVersionMin).toBe('1.0.0')
    expect(features.linux.mountExtensions.idmap.enabled).toBe(true)
    expect(features.mountOptions).toEqual(['bind', 'ro', 'rro'])
  })

  it('names the limits of RDMA devices, which tsrun writes', () => {
    expect(features.linux.cgroup).toMatchObject({ v1: false, v2: true, rdma: true })
  })

  it('lists only capabilities the kernel has', () => {
    expect(features.linux.capabilities).toHaveLength(40)
    expect(features.linux.capabilities).not.toContain('CAP_CHECKPOINT_RESTORE')
    expect(features.linux.namespaces).toContain('network')
  })
})
