/** Which network a container is in when nobody says so. */
import { describe, expect, it } from 'vitest'
import { defaultNetwork } from '../../../../src/engine/networks/default-network.ts'

const ROOT = { makesBridges: true, hasUserMode: false }
const USER = { makesBridges: false, hasUserMode: true }
const USER_WITHOUT = { makesBridges: false, hasUserMode: false }

describe('defaultNetwork()', () => {
  it("is docker's for root", () => {
    expect(defaultNetwork(false, {}, ROOT)).toBe('bridge')
  })

  it('is pasta or slirp4netns for users who can make no bridge', () => {
    expect(defaultNetwork(false, {}, USER)).toBe('default')
    expect(defaultNetwork(true, {}, USER)).toBe('default')
  })

  it('is none without these, but for ports, which are then refused', () => {
    expect(defaultNetwork(false, {}, USER_WITHOUT)).toBe('none')
    expect(defaultNetwork(true, {}, USER_WITHOUT)).toBe('default')
  })

  it('is what TSRUN_NETWORK says, which ports overrule', () => {
    expect(defaultNetwork(false, { TSRUN_NETWORK: 'none' }, ROOT)).toBe('none')
    expect(defaultNetwork(true, { TSRUN_NETWORK: 'none' }, ROOT)).toBe('bridge')
    expect(defaultNetwork(false, { TSRUN_NETWORK: '' }, ROOT)).toBe('bridge')
  })
})
