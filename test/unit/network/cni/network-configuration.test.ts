/** CNI configurations and results: what is taken, and what is refused. */
import { describe, expect, it } from 'vitest'
import { readResult } from '../../../../src/network/cni/cni-network.ts'
import { parseConfiguration } from '../../../../src/network/cni/network-configuration.ts'

const LIST = { cniVersion: '1.0.0', name: 'app', plugins: [{ type: 'bridge' }] }

describe('parseConfiguration()', () => {
  it('takes a list, and a single plugin as a list of one', () => {
    expect(parseConfiguration(LIST, 'f')).toEqual(LIST)
    const single = { cniVersion: '0.4.0', name: 'app', type: 'bridge', mtu: 1400 }
    expect(parseConfiguration(single, 'f').plugins).toEqual([single])
  })

  it.each([
    [{ ...LIST, name: '../app' }, 'its name is none of'],
    [{ ...LIST, name: 7 }, 'its name is none of'],
    [{ ...LIST, cniVersion: '0.1.0' }, 'its cniVersion'],
    [{ ...LIST, plugins: [] }, 'a plugin of it has no type'],
    [{ ...LIST, plugins: [{ type: '../../bin/sh' }] }, 'a plugin of it has no type'],
    [{ ...LIST, plugins: [null] }, 'a plugin of it has no type'],
    [{ ...LIST, plugins: 'bridge' }, 'a plugin of it has no type'],
  ])('refuses %j', (value, why) => {
    expect(() => parseConfiguration(value, '/etc/x.conf')).toThrow(`cannot use /etc/x.conf: ${why}`)
  })
})

describe('readResult()', () => {
  it('takes addresses and names, and leaves out what is of another form', () => {
    const raw = {
      ips: [{ address: '10.1.0.2/24' }, { address: 7 }, null, { address: 'fd00::2/64' }],
      dns: { nameservers: ['10.1.0.1', {}], search: 'x' },
    }
    expect(readResult(raw)).toEqual({
      addresses: ['10.1.0.2', 'fd00::2'],
      nameServers: ['10.1.0.1'],
      search: [],
    })
    expect(readResult(undefined)).toEqual({ addresses: [], nameServers: [], search: [] })
  })
})
