/** Which network a container is in when nobody says so. */
import { describe, expect, it } from 'vitest'
import { defaultNetwork } from '../../../../src/engine/networks/default-network.ts'

describe('defaultNetwork()', () => {
  it("is docker's for root", () => {
    expect(defaultNetwork(false, {}, true)).toBe('bridge')
  })

  it('is none for whoever can make no bridge, but for ports, which are then refused', () => {
    expect(defaultNetwork(false, {}, false)).toBe('none')
    expect(defaultNetwork(true, {}, false)).toBe('bridge')
  })

  it('is what TSRUN_NETWORK says, which ports overrule', () => {
    expect(defaultNetwork(false, { TSRUN_NETWORK: 'none' }, true)).toBe('none')
    expect(defaultNetwork(true, { TSRUN_NETWORK: 'none' }, true)).toBe('bridge')
    expect(defaultNetwork(false, { TSRUN_NETWORK: '' }, true)).toBe('bridge')
  })
})
