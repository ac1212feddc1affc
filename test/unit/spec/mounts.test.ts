import { describe, expect, it } from 'vitest'
import { buildMounts, rootPropagation } from '../../../src/spec/mounts.ts'
import { parseSecurityOptions } from '../../../src/spec/security-options.ts'
import type { SpecInput, SpecOptions } from '../../../src/spec/spec-input.ts'
import { specInput } from './input.ts'

function mounts(options: SpecOptions = {}, parts: Partial<SpecInput> = {}) {
  const security = parseSecurityOptions(options.securityOpt ?? [], options.privileged === true)
  return buildMounts(specInput(options, parts), security)
}

function at(destination: string, options: SpecOptions = {}, parts: Partial<SpecInput> = {}) {
  return mounts(options, parts).find((mount) => mount.destination === destination)
}

describe('buildMounts()', () => {
  it('gives the seven of docker, parents first', () => {
    expect(mounts().map(({ destination }) => destination)).toEqual([
      '/proc',
      '/dev',
      '/sys',
      '/dev/pts',
      '/dev/mqueue',
      '/dev/shm',
      '/sys/fs/cgroup',
    ])
  })

  it('lets the user replace a default and all of /dev', () => {
    expect(at('/dev/shm', { volumes: ['/x:/dev/shm'] })?.type).toBe('bind')
    const destinations = mounts({ volumes: ['/dev:/dev'] }).map(({ destination }) => destination)
    expect(destinations).not.toContain('/dev/pts')
    expect(destinations.filter((destination) => destination === '/dev')).toHaveLength(1)
  })

  it('sorts nested mounts of the user after their parents and refuses duplicates', () => {
    const destinations = mounts({ volumes: ['/1:/a/b/c', '/2:/a'] }).map(
      ({ destination }) => destination,
    )
    expect(destinations.indexOf('/a')).toBeLessThan(destinations.indexOf('/a/b/c'))
    expect(() => mounts({ volumes: ['/1:/a'], tmpfs: ['/a/'] })).toThrow(
      'cannot mount "/a": two options',
    )
  })

  it('makes /sys and cgroups writable for privileged containers only', () => {
    expect(at('/sys')?.options).toContain('ro')
    expect(at('/sys', { privileged: true })?.options).toContain('rw')
    expect(at('/sys/fs/cgroup', { privileged: true })?.options).toContain('rw')
    expect(at('/sys/fs/cgroup', { securityOpt: ['writable-cgroups'] })?.options).toContain('rw')
  })

  it('binds /sys where a user namespace has the network of the host', () => {
    const mapping = [{ containerID: 0, hostID: 1000, size: 1 }]
    const userNamespace = { uidMappings: mapping, gidMappings: mapping }
    expect(at('/sys', { network: 'host' })?.type).toBe('sysfs')
    expect(at('/sys', { network: 'host' }, { userNamespace })?.options).toContain('rbind')
    expect(at('/dev/pts', {}, { userNamespace })?.options).not.toContain('gid=5')
  })

  it('binds the init program with --init', () => {
    expect(at('/run/tsrun-init', { init: true }, { initPath: '/lib/init' })?.source).toBe(
      '/lib/init',
    )
    expect(() => mounts({ init: true })).toThrow('--init')
  })

  it('takes the size of /dev/shm and the files of the engine', () => {
    expect(at('/dev/shm', { shmSize: 1024 })?.options).toContain('size=1024')
    const engineMounts = [{ destination: '/etc/hosts', type: 'bind', source: '/h' }]
    expect(at('/etc/hosts', {}, { engineMounts })?.source).toBe('/h')
    expect(at('/etc/hosts', { volumes: ['/mine:/etc/hosts'] }, { engineMounts })?.source).toBe(
      '/mine',
    )
  })
})

describe('rootPropagation()', () => {
  it('follows the most open bind', () => {
    const bind = (option: string) => ({
      destination: '/a',
      type: 'bind',
      options: ['rbind', option],
    })
    expect(rootPropagation([bind('rprivate')])).toBeUndefined()
    expect(rootPropagation([bind('rslave')])).toBe('slave')
    expect(rootPropagation([bind('slave'), bind('rshared')])).toBe('shared')
  })
})
