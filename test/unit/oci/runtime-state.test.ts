import { describe, expect, it } from 'vitest'
import { listedState, runtimeState } from '../../../src/oci/runtime-state.ts'

const FACTS = { ociVersion: '1.3.0', id: 'web', pid: 42, bundle: '/b' }

describe('runtimeState()', () => {
  it('has the fields of the spec', () => {
    expect(runtimeState({ ...FACTS, status: 'running', annotations: { a: 'b' } })).toEqual({
      ...FACTS,
      status: 'running',
      annotations: { a: 'b' },
    })
  })

  it('has no pid once stopped and no empty annotations', () => {
    expect(runtimeState({ ...FACTS, status: 'stopped', annotations: {} })).toEqual({
      ...FACTS,
      pid: 0,
      status: 'stopped',
    })
  })
})

describe('listedState()', () => {
  it('adds rootfs, created and owner in the order of runc', () => {
    const listed = listedState(
      { ...FACTS, status: 'created' },
      { rootfs: '/b/rootfs', created: new Date(0), owner: 'root' },
    )
    expect(Object.keys(listed)).toEqual(
      'ociVersion id pid status bundle rootfs created owner'.split(' '),
    )
    expect(listed.created).toBe('1970-01-01T00:00:00.000Z')
  })
})
