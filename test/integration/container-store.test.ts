/** The container store against a real file system and flock(2): makers that die, removals that race. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newRecord } from '../../src/engine/build-container.ts'
import { ContainerStore } from '../../src/engine/container-store.ts'

let root = ''
let store = new ContainerStore('')
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tsrun-store-'))
  store = new ContainerStore(root)
})
afterEach(() => rmSync(root, { recursive: true }))

function make(name?: string) {
  const unfinished = store.create()
  const record = store.claimName(
    newRecord(unfinished.id, '/run/x', { image: 'i' }, undefined),
    name,
  )
  return { unfinished, record, id: unfinished.id }
}

describe('ContainerStore', () => {
  it('create() holds mark and folder until finish()', async () => {
    const { unfinished, id } = make('one')
    expect(store.unfinished()).toEqual([id])
    expect(store.tryTakeOver(id)).toBeUndefined()
    expect(store.tryLock(id)).toBeUndefined()
    unfinished.finish()
    expect(store.unfinished()).toEqual([])
    const lock = await store.lock(id)
    expect(lock?.isOpen).toBe(true)
    lock?.close()
  })

  it('tryTakeOver() gets the mark of a maker that is gone', () => {
    const { unfinished, id } = make()
    unfinished[Symbol.dispose]()
    const mark = store.tryTakeOver(id)
    expect(mark?.isOpen).toBe(true)
    expect(store.tryTakeOver(id)).toBeUndefined()
    store.remove(id)
    mark?.close()
    expect([store.ids(), store.unfinished(), readdirSync(join(root, 'names'))]).toEqual([
      [],
      [],
      [],
    ])
  })

  it('claimName() gives a name once', () => {
    const { record } = make('web')
    expect(record.name).toBe('web')
    const other = store.create()
    const base = newRecord(other.id, '/run/x', { image: 'i' }, undefined)
    expect(() => store.claimName(base, 'web')).toThrow(/"web": it belongs to container/)
    expect(() => store.claimName(base, '../web')).toThrow(/name "\.\.\/web"/)
    expect(store.claimName(base, undefined).name).toMatch(/^[a-z]+_[a-z]+\d*$/)
  })

  it('find() takes ids, names and beginnings, and refuses what is not unique', () => {
    const { id } = make('web')
    expect([store.find(id), store.find('web'), store.find(id.slice(0, 8))]).toEqual([id, id, id])
    for (const text of ['nope', '', '.', '..', '../names/web', 'a/b', '\u0000', 'x'.repeat(300)]) {
      expect(() => store.find(text)).toThrow()
    }
    for (let i = 0; i < 17; i++) make()
    const digit = [...'0123456789abcdef'].find(
      (letter) => store.ids().filter((text) => text.startsWith(letter)).length > 1,
    )
    expect(() => store.find(digit ?? '')).toThrow(/ids begin with it/)
  })

  it('remove() never deletes what is below a folder', () => {
    const { id, unfinished } = make()
    unfinished.finish()
    mkdirSync(join(store.directory(id), 'rootfs'))
    writeFileSync(join(store.directory(id), 'rootfs', 'precious'), '')
    expect(() => store.remove(id)).toThrow(/ENOTEMPTY/)
    expect(existsSync(join(store.directory(id), 'rootfs', 'precious'))).toBe(true)
    // The mark stays: the next command tries again.
    expect(store.unfinished()).toEqual([id])
    rmSync(join(store.directory(id), 'rootfs', 'precious'))
    store.remove(id)
    expect(store.ids()).toEqual([])
  })

  it('lock() waits, and finds out that the container has gone meanwhile', async () => {
    const { id, unfinished } = make()
    unfinished.finish()
    const first = await store.lock(id)
    const second = store.lock(id)
    store.remove(id)
    first?.close()
    expect(await second).toBeUndefined()
    expect(await store.lock(id)).toBeUndefined()
  })

  it('read() takes a torn record for none', () => {
    const { id } = make()
    writeFileSync(join(store.directory(id), 'container.json'), '{"version":1,')
    expect(store.read(id)).toBeUndefined()
    expect(store.read('0'.repeat(64))).toBeUndefined()
  })
})
