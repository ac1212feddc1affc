/** NetworkStore.lockLeases(): the lock is that of the network which is there, not of one that is gone. */
import { mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { OwnedFd } from '../../src/native/owned-fd.ts'
import { flock } from '../../src/native/syscalls.ts'
import type { NetworkRecord } from '../../src/network/network-record.ts'
import { NetworkStore } from '../../src/network/network-store.ts'

const network = (id: string): NetworkRecord => ({
  version: 1,
  id,
  name: 'web',
  driver: 'bridge',
  createdAt: '',
  internal: false,
  subnets: [],
  interface: 'br0',
  labels: {},
  options: {},
})

let directory = ''
let store: NetworkStore

describe('lockLeases()', () => {
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'tsrun-networks-'))
    store = new NetworkStore(directory)
    store.add(network('a'))
  })
  afterEach(() => {
    rmSync(directory, { recursive: true, force: true })
  })

  it('is undefined for who waited while another network took the name', async () => {
    const holder = await store.lockLeases(network('a'))
    const waiter = store.lockLeases(network('a'))
    store.remove('web')
    store.add(network('b'))
    holder?.close()
    expect(await waiter).toBeUndefined()
    using locked = await store.lockLeases(network('b'))
    expect(locked?.isOpen).toBe(true)
  })

  it('is the folder that is there now, not the one that was removed', async () => {
    const holder = await store.lockLeases(network('a'))
    const waiter = store.lockLeases(network('a'))
    store.remove('web')
    store.add(network('a'))
    holder?.close()
    using locked = await waiter
    expect(locked?.isOpen).toBe(true)
    using folder = new OwnedFd(openSync(join(store.folder, 'web'), 'r'))
    expect(flock(folder.fd, 'exclusive', false)).toBe(false)
  })
})
