import { describe, expect, it } from 'vitest'
import { CAPABILITY_NAMES } from '../../../src/linux/capabilities.ts'
import {
  capabilitySets,
  chooseCapabilities,
  DEFAULT_CAPABILITIES,
} from '../../../src/spec/default-capabilities.ts'

const choose = (add: readonly string[], drop: readonly string[], privileged = false) =>
  chooseCapabilities({ add, drop, privileged, available: CAPABILITY_NAMES })

describe('chooseCapabilities()', () => {
  it('gives the fourteen of docker', () => {
    expect(DEFAULT_CAPABILITIES).toHaveLength(14)
    expect([...choose([], [])].sort()).toEqual([...DEFAULT_CAPABILITIES].sort())
  })

  it('adds and drops in any spelling', () => {
    const names = choose(['net_admin', 'CAP_SYS_TIME'], ['CHOWN', 'cap_kill'])
    expect(names).toContain('CAP_NET_ADMIN')
    expect(names).toContain('CAP_SYS_TIME')
    expect(names).not.toContain('CAP_CHOWN')
    expect(names).not.toContain('CAP_KILL')
  })

  it('understands ALL on either side', () => {
    expect(choose([], ['ALL'])).toEqual([])
    expect(choose(['NET_RAW'], ['all'])).toEqual(['CAP_NET_RAW'])
    expect(choose(['ALL'], ['MKNOD'])).toHaveLength(40)
    expect(choose(['ALL'], [])).toEqual(CAPABILITY_NAMES)
  })

  it('gives a privileged container what tsrun has', () => {
    expect(choose([], ['ALL'], true)).toEqual(CAPABILITY_NAMES)
    const available = ['CAP_CHOWN', 'CAP_KILL']
    expect(chooseCapabilities({ add: [], drop: [], privileged: true, available })).toEqual(
      available,
    )
  })

  it('refuses unknown names and names tsrun does not have', () => {
    expect(() => choose(['FLY'], [])).toThrow(
      'cannot use cap-add "FLY": it is not a capability of Linux',
    )
    expect(() => choose([], ['toString'])).toThrow(/^cannot use cap-drop/)
    expect(() =>
      chooseCapabilities({ add: ['SYS_ADMIN'], drop: [], privileged: false, available: [] }),
    ).toThrow('tsrun itself does not have it')
  })
})

describe('capabilitySets()', () => {
  it('gives other users than root the bounding set alone', () => {
    expect(capabilitySets(['CAP_KILL'], 0)).toEqual({
      bounding: ['CAP_KILL'],
      effective: ['CAP_KILL'],
      permitted: ['CAP_KILL'],
    })
    expect(capabilitySets(['CAP_KILL'], 1)).toEqual({ bounding: ['CAP_KILL'] })
  })
})
