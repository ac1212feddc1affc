/** What every snapshotter promises (src/snapshots/snapshotter.ts), as a suite for its implementations. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { chainIdsOf } from '../../src/snapshots/chain-id.ts'
import type { Mount } from '../../src/snapshots/mount.ts'
import type { Snapshotter } from '../../src/snapshots/snapshotter.ts'
import { digestOf } from '../support/make-image.ts'

/** A snapshotter with what is needed to look behind it. */
export interface SnapshotterUnderTest extends Disposable {
  readonly snapshotter: Snapshotter
  /** The same snapshotter as another process would open it. */
  reopen(): Snapshotter
  /** Mounts a snapshot, runs `look` on its tree, and unmounts it. */
  mounted<T>(mounts: readonly Mount[], look: (folder: string) => T): T
  /** Puts what a process leaves that is killed while it unpacks this layer. */
  abandonDraft(chainId: string): void
  /** Names of drafts and their locks. */
  drafts(): readonly string[]
}

/** Runs the suite on snapshotters that `create` makes, each empty and of its own. */
export function describeSnapshotter(name: string, create: () => SnapshotterUnderTest): void {
  describe(`${name} as a snapshotter`, () => {
    describeLayers(create)
    describeDraftsInParallel(create)
    describeActive(create)
    describeRemoval(create)
    describeCrash(create)
  })
}

type Create = () => SnapshotterUnderTest

const DIFF_IDS = ['base', 'middle', 'top'].map((text) => digestOf(Buffer.from(text)))
const CHAIN = chainIdsOf(DIFF_IDS)
const [BASE = '', MIDDLE = '', TOP = ''] = CHAIN

function describeLayers(create: Create): void {
  it('has nothing when it is new', () => {
    using made = create()
    expect(made.snapshotter.layers()).toEqual([])
    expect(made.snapshotter.activeKeys()).toEqual([])
    expect(made.snapshotter.hasLayer(BASE)).toBe(false)
    expect(made.snapshotter.layer(BASE)).toBeUndefined()
    expect(() => made.snapshotter.layerFolders([BASE])).toThrow(
      expect.objectContaining({ kind: 'not-found' }),
    )
  })

  it('shows a layer once it is committed, with its parent, and makes it only once', async () => {
    using made = create()
    await addChain(made.snapshotter)
    const other = made.reopen()
    expect(other.layer(BASE)).toEqual({ chainId: BASE, diffId: DIFF_IDS[0], size: 4 })
    expect(other.layer(TOP)).toEqual({
      chainId: TOP,
      diffId: DIFF_IDS[2],
      parent: MIDDLE,
      size: 4,
    })
    expect(other.layers().toSorted()).toEqual([...CHAIN].toSorted())
    expect(other.layerFolders(CHAIN)).toHaveLength(3)
    expect(await other.startLayer(BASE)).toBeUndefined()
    expect(made.drafts()).toEqual([])
  })

  it('keeps nothing of a draft that is disposed', async () => {
    using made = create()
    {
      using draft = await start(made.snapshotter, BASE)
      writeFileSync(join(draft.folder, 'file'), 'x')
    }
    expect(made.snapshotter.hasLayer(BASE)).toBe(false)
    expect(made.drafts()).toEqual([])
  })

  it('does not commit a draft twice, nor one whose parent is not there', async () => {
    using made = create()
    using draft = await start(made.snapshotter, BASE)
    await draft.commit({ diffId: BASE, size: 0 })
    await expect(draft.commit({ diffId: BASE, size: 0 })).rejects.toThrow()
    expect(made.snapshotter.layer(BASE)).toMatchObject({ diffId: BASE })
    using orphan = await start(made.snapshotter, TOP)
    await expect(orphan.commit({ diffId: TOP, parent: MIDDLE, size: 0 })).rejects.toMatchObject({
      kind: 'failed-precondition',
    })
    expect(made.snapshotter.hasLayer(TOP)).toBe(false)
  })

  it.each(['sha256:../x', 'sha256:', '..'])('takes no chain ID such as %j', async (chainId) => {
    using made = create()
    await expect(made.snapshotter.startLayer(chainId)).rejects.toMatchObject({
      kind: 'invalid-argument',
    })
  })
}

function describeDraftsInParallel(create: Create): void {
  it('lets one of several make a layer, and the others find it', async () => {
    using made = create()
    let drafts = 0
    const make = async (snapshotter: Snapshotter): Promise<void> => {
      using draft = await snapshotter.startLayer(BASE)
      if (draft === undefined) return
      drafts++
      await draft.commit({ diffId: BASE, size: 0 })
    }
    await Promise.all([made.snapshotter, made.reopen(), made.reopen(), made.reopen()].map(make))
    expect(drafts).toBe(1)
  })

  it('gives the next one an empty draft when one gives up', async () => {
    using made = create()
    const first = await start(made.snapshotter, BASE)
    writeFileSync(join(first.folder, 'half'), 'x')
    const waiting = start(made.reopen(), BASE)
    first[Symbol.dispose]()
    using second = await waiting
    writeFileSync(join(second.folder, 'whole'), 'x')
    await second.commit({ diffId: BASE, size: 1 })
    const mounts = await made.snapshotter.prepare('c', [BASE])
    expect(made.mounted(mounts, namesIn)).toEqual(['whole'])
  })
}

function describeActive(create: Create): void {
  it('gives a writable tree above a chain: upper layers first, writes kept apart', async () => {
    using made = create()
    await addChain(made.snapshotter)
    const mounts = await made.snapshotter.prepare('c1', CHAIN)
    made.mounted(mounts, (folder) => {
      expect(namesIn(folder)).toEqual(['base', 'middle', 'shared', 'top'])
      expect(read(folder, 'shared')).toBe(TOP)
      writeFileSync(join(folder, 'shared'), 'mine')
    })
    expect(read(made.snapshotter.writableFolder('c1'), 'shared')).toBe('mine')
    expect(made.mounted(made.reopen().mounts('c1'), (folder) => read(folder, 'shared'))).toBe(
      'mine',
    )
    const others = await made.snapshotter.prepare('c2', CHAIN.slice(0, 2))
    expect(made.mounted(others, (folder) => read(folder, 'shared'))).toBe(MIDDLE)
    expect(made.snapshotter.activeKeys().toSorted()).toEqual(['c1', 'c2'])
  })

  it('gives a tree of its own above nothing', async () => {
    using made = create()
    const mounts = await made.snapshotter.prepare('own', [])
    made.mounted(mounts, (folder) => {
      expect(namesIn(folder)).toEqual([])
      mkdirSync(join(folder, 'etc'))
    })
    expect(namesIn(made.snapshotter.writableFolder('own'))).toEqual(['etc'])
  })

  it('takes a key once, and again after it was removed, without what was written', async () => {
    using made = create()
    await made.snapshotter.prepare('c', [])
    writeFileSync(join(made.snapshotter.writableFolder('c'), 'file'), 'x')
    await expect(made.reopen().prepare('c', [])).rejects.toMatchObject({ kind: 'already-exists' })
    made.snapshotter.remove('c')
    made.snapshotter.remove('c')
    expect(() => made.snapshotter.mounts('c')).toThrow(
      expect.objectContaining({ kind: 'not-found' }),
    )
    await made.snapshotter.prepare('c', [])
    expect(namesIn(made.snapshotter.writableFolder('c'))).toEqual([])
  })

  it('prepares nothing above a layer that is not there', async () => {
    using made = create()
    await expect(made.snapshotter.prepare('c', [BASE])).rejects.toMatchObject({ kind: 'not-found' })
    expect(made.snapshotter.activeKeys()).toEqual([])
  })

  it.each(['', '..', 'a/b', '.hidden', 'x'.repeat(129)])('takes no key such as %j', async (key) => {
    using made = create()
    await expect(made.snapshotter.prepare(key, [])).rejects.toMatchObject({
      kind: 'invalid-argument',
    })
    expect(() => made.snapshotter.remove(key)).toThrow(
      expect.objectContaining({ kind: 'invalid-argument' }),
    )
  })
}

function describeRemoval(create: Create): void {
  it('removes layers that nobody uses, and spares those below one that is used', async () => {
    using made = create()
    await addChain(made.snapshotter)
    expect(await made.snapshotter.removeLayers(new Set([MIDDLE]))).toEqual([TOP])
    expect(made.snapshotter.hasLayer(BASE)).toBe(true)
    expect([...(await made.snapshotter.removeLayers(new Set()))].toSorted()).toEqual(
      [BASE, MIDDLE].toSorted(),
    )
    expect(made.snapshotter.layers()).toEqual([])
    expect(made.drafts()).toEqual([])
  })

  it('spares the layers of an active snapshot until it is removed', async () => {
    using made = create()
    await addChain(made.snapshotter)
    await made.snapshotter.prepare('c', CHAIN)
    expect(await made.reopen().removeLayers(new Set())).toEqual([])
    made.snapshotter.remove('c')
    expect(await made.snapshotter.removeLayers(new Set())).toHaveLength(3)
  })

  it('makes a removed layer again', async () => {
    using made = create()
    await addChain(made.snapshotter)
    await made.snapshotter.removeLayers(new Set())
    await addChain(made.snapshotter)
    expect(made.snapshotter.layers()).toHaveLength(3)
  })
}

function describeCrash(create: Create): void {
  it('begins anew where a killed process has left a draft', async () => {
    using made = create()
    made.abandonDraft(BASE)
    expect(made.snapshotter.hasLayer(BASE)).toBe(false)
    using draft = await start(made.snapshotter, BASE)
    expect(namesIn(draft.folder)).toEqual([])
  })

  it('removes drafts of killed processes, and spares those that somebody makes', async () => {
    using made = create()
    made.abandonDraft(BASE)
    using draft = await start(made.snapshotter, TOP)
    const ours = made.drafts().length
    made.reopen().removeAbandoned()
    expect(made.drafts().length).toBeLessThan(ours)
    await draft.commit({ diffId: TOP, size: 0 })
    draft[Symbol.dispose]()
    expect(made.snapshotter.hasLayer(TOP)).toBe(true)
    expect(made.drafts()).toEqual([])
  })
}

async function start(snapshotter: Snapshotter, chainId: string) {
  const draft = await snapshotter.startLayer(chainId)
  if (draft === undefined) throw new Error('the layer is there')
  return draft
}

/** Three layers, each with a file of its own and one that all have. */
async function addChain(snapshotter: Snapshotter): Promise<void> {
  for (const [i, chainId] of CHAIN.entries()) {
    using draft = await start(snapshotter, chainId)
    writeFileSync(join(draft.folder, ['base', 'middle', 'top'][i] ?? ''), '')
    writeFileSync(join(draft.folder, 'shared'), chainId)
    const parent = CHAIN[i - 1]
    await draft.commit({
      diffId: DIFF_IDS[i] ?? '',
      size: 4,
      ...(parent === undefined ? {} : { parent }),
    })
  }
}

function namesIn(folder: string): readonly string[] {
  return readdirSync(folder).toSorted()
}

function read(folder: string, name: string): string {
  return readFileSync(join(folder, name), 'utf8')
}
