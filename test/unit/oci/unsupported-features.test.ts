import { describe, expect, it } from 'vitest'
import type { RuntimeConfig } from '../../../src/oci/runtime-config.ts'
import { refuseUnsupported, unsupportedFeatures } from '../../../src/oci/unsupported-features.ts'

const CONFIG: RuntimeConfig = {
  ociVersion: '1.3.0',
  process: { cwd: '/' },
  linux: { namespaces: [{ type: 'mount' }] },
}

describe('unsupportedFeatures()', () => {
  it('is empty for a common config and for empty sections', () => {
    expect(unsupportedFeatures(CONFIG)).toEqual([])
    const linux = { ...CONFIG.linux, netDevices: {}, mountLabel: '' }
    expect(unsupportedFeatures({ ...CONFIG, linux })).toEqual([])
  })

  it('names sections of other platforms and of linux', () => {
    const config = { ...CONFIG, vm: {}, zos: {} }
    expect(() => refuseUnsupported(config, { apparmor: false, selinux: false })).toThrow(
      'unsupported: vm, zos',
    )
  })

  it('refuses labels and says where the kernel lacks the module', () => {
    const config = {
      ...CONFIG,
      process: { cwd: '/', apparmorProfile: 'docker-default', selinuxLabel: 'a:b:c' },
    }
    expect(unsupportedFeatures(config)).toEqual([
      'process.apparmorProfile (AppArmor is not enabled on this host)',
      'process.selinuxLabel (SELinux is not enabled on this host)',
    ])
    expect(unsupportedFeatures(config, { apparmor: true, selinux: true })).toEqual([])
  })

  it('takes the profile unconfined with and without AppArmor', () => {
    const config = { ...CONFIG, process: { cwd: '/', apparmorProfile: 'unconfined' } }
    expect(unsupportedFeatures(config, { apparmor: true, selinux: false })).toEqual([])
    expect(unsupportedFeatures(config, { apparmor: false, selinux: false })).toEqual([])
  })

  it('refuses a config without a mount namespace', () => {
    expect(unsupportedFeatures({ ...CONFIG, linux: {} })).toEqual([
      'linux.namespaces without a mount namespace',
    ])
  })
})
