import { describe, expect, it } from 'vitest'
import { buildSpec } from '../../../src/spec/build-spec.ts'
import { buildNamespaces, namespaceMode } from '../../../src/spec/namespaces.ts'
import type { SpecInput, SpecOptions } from '../../../src/spec/spec-input.ts'
import { specInput } from './input.ts'

function namespaces(options: SpecOptions, parts: Partial<SpecInput> = {}) {
  return Object.fromEntries(
    buildNamespaces(specInput(options, parts)).map(({ type, path }) => [type, path ?? 'new']),
  )
}

const ALL = { mount: 'new', uts: 'new', pid: 'new', ipc: 'new', cgroup: 'new', network: 'new' }

describe('buildNamespaces()', () => {
  it('makes new ones', () => {
    expect(namespaces({})).toEqual(ALL)
    expect(namespaces({ pid: 'private', ipc: 'shareable', uts: '' })).toEqual(ALL)
  })

  it("keeps the host's, joins those of others and those at a path", () => {
    const { pid: _, ...withoutPid } = ALL
    expect(namespaces({ pid: 'host' })).toEqual(withoutPid)
    const joined = { joined: { pid: '/proc/7/ns/pid' } }
    expect(namespaces({ pid: 'container:web' }, joined).pid).toBe('/proc/7/ns/pid')
    expect(namespaces({ uts: 'ns:/run/x' }).uts).toBe('/run/x')
  })
})

describe('namespaceMode()', () => {
  it.each([
    ['pid', 'shareable'],
    ['pid', 'container:'],
    ['pid', 'ns:relative'],
    ['ipc', 'public'],
    ['uts', 'none'],
    ['cgroupns', 'container'],
    ['pid', 'ho\0st'],
  ] as const)('refuses --%s %j', (option, text) => {
    expect(() => namespaceMode({ [option]: text }, option)).toThrow(
      new RegExp(`^cannot use ${option} `),
    )
  })
})

describe('buildSpec() with namespaces of others', () => {
  it('sets no names that are not the container’s own', () => {
    const config = buildSpec(specInput({ uts: 'host' }))
    expect(config.hostname).toBeUndefined()
    expect(config.process?.env).toContain('HOSTNAME=machine')
    expect(() => buildSpec(specInput({ uts: 'host', hostname: 'x' }))).toThrow(/hostname "x"/)
    expect(() => buildSpec(specInput({ uts: 'host', domainname: 'x' }))).toThrow(/domainname "x"/)
    expect(buildSpec(specInput({ domainname: 'a.b' })).domainname).toBe('a.b')
  })

  it('gives /dev/shm away, shares it or leaves it out', () => {
    const shm = (options: SpecOptions, parts: Partial<SpecInput> = {}) =>
      buildSpec(specInput(options, parts)).mounts?.filter((m) => m.destination === '/dev/shm')
    expect(shm({ ipc: 'none' })).toEqual([])
    expect(shm({ ipc: 'host' }, { shmSource: '/dev/shm' })).toMatchObject([
      { type: 'bind', source: '/dev/shm' },
    ])
    const own = shm({ ipc: 'host', tmpfs: ['/dev/shm'] }, { shmSource: '/dev/shm' })
    expect(own).toMatchObject([{ type: 'tmpfs' }])
  })
})
