import { describe, expect, it } from 'vitest'
import {
  normalizeResources,
  normalizeRuntimeConfig,
  removeNulls,
  runtimeConfigWarnings,
} from '../../../src/oci/normalize-runtime-config.ts'

describe('removeNulls()', () => {
  it('removes null fields at every depth but keeps null items', () => {
    expect(removeNulls({ a: null, b: { c: null, d: 1 }, e: [null, { f: null }] })).toEqual({
      b: { d: 1 },
      e: [null, {}],
    })
    expect(removeNulls(null)).toBeNull()
  })
})

describe('runtimeConfigWarnings()', () => {
  it('names options of a superblock on a bind mount', () => {
    const warnings = runtimeConfigWarnings({
      ociVersion: '1.0.0',
      mounts: [
        { destination: '/a', type: 'tmpfs', options: ['sync'] },
        { destination: '/b', source: '/b', options: ['rbind', 'ro', 'sync'] },
      ],
    })
    expect(warnings).toEqual(['mounts[1].options: sync has no effect on a bind mount'])
  })

  it('names unknown capabilities once', () => {
    const warnings = runtimeConfigWarnings({
      ociVersion: '1.0.0',
      process: {
        cwd: '/',
        capabilities: { bounding: ['CAP_NEW'], effective: ['CAP_NEW', 'CAP_KILL'] },
      },
    })
    expect(warnings).toEqual([
      'process.capabilities.bounding: no capability of Linux is named "CAP_NEW"',
    ])
  })

  it('names capabilities that cannot be given once, and does not say it again of ambient ones', () => {
    const sets = ['CAP_KILL', 'CAP_SYS_ADMIN']
    const config = {
      ociVersion: '1.0.0',
      process: { cwd: '/', capabilities: { bounding: sets, permitted: sets, ambient: sets } },
    }
    expect(runtimeConfigWarnings(config, ['CAP_SYS_ADMIN', 'CAP_CHOWN'])).toEqual([
      'process.capabilities.bounding: the process does not get CAP_SYS_ADMIN, which tsrun does not have itself here',
      "can't raise ambient capability CAP_KILL: it is not permitted and inheritable",
    ])
  })

  it('names ambient capabilities that the kernel does not let the process have', () => {
    const capabilities = {
      permitted: ['CAP_KILL', 'CAP_CHOWN'],
      inheritable: ['CAP_KILL', 'CAP_FOWNER'],
      ambient: ['CAP_KILL', 'CAP_CHOWN', 'CAP_FOWNER'],
    }
    const warnings = runtimeConfigWarnings({
      ociVersion: '1.0.0',
      process: { cwd: '/', capabilities },
    })
    expect(warnings).toEqual([
      "can't raise ambient capability CAP_CHOWN: it is not permitted and inheritable",
      "can't raise ambient capability CAP_FOWNER: it is not permitted and inheritable",
    ])
  })
})

describe('normalizeResources()', () => {
  const limitIn = (ociVersion: string, limit: number): number | undefined =>
    normalizeResources({ pids: { limit } }, ociVersion).pids?.limit

  it.each(['1.0.0', '1.0.2-dev', '1.2.1'])('takes no processes of %s for no limit', (version) => {
    expect(limitIn(version, 0)).toBe(-1)
    expect(limitIn(version, 5)).toBe(5)
  })

  it.each(['1.3.0-rc.1', '1.3.0', '1.10.0'])('keeps the limit of %s', (version) => {
    expect(limitIn(version, 0)).toBe(0)
    expect(limitIn(version, -1)).toBe(-1)
  })

  it('is part of normalizing a whole config', () => {
    const config = {
      ociVersion: '1.0.2-dev',
      linux: { resources: { pids: { limit: 0 }, cpu: { shares: 2 } } },
    }
    expect(normalizeRuntimeConfig(config).linux?.resources).toEqual({
      pids: { limit: -1 },
      cpu: { shares: 2 },
    })
  })
})
