/** The snapshotter for overlayfs on the real kernel, by both ways in which it can be mounted. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  detachMount,
  mountOverlayByDescriptor,
  mountOverlayByOptions,
} from '../../src/native/overlay-mount.ts'
import type { Mount } from '../../src/snapshots/mount.ts'
import { mountOverlay } from '../../src/snapshots/mount-overlay.ts'
import { OverlaySnapshotter } from '../../src/snapshots/overlay-snapshotter.ts'
import { describeSnapshotter } from '../contracts/snapshotter-contract.ts'
import { createTempDir } from '../support/temp-dir.ts'

describeSnapshotter('OverlaySnapshotter', () => {
  const folder = createTempDir('tsrun-snapshots-')
  const root = join(folder.path, 'snapshots')
  const target = join(folder.path, 'mnt')
  mkdirSync(target)
  return {
    snapshotter: new OverlaySnapshotter(root),
    reopen: () => new OverlaySnapshotter(root),
    mounted(mounts, look) {
      mount(mounts, target)
      try {
        return look(target)
      } finally {
        detachMount(target)
      }
    },
    abandonDraft(chainId) {
      const draft = join(root, 'drafts', chainId.replace('sha256:', ''))
      mkdirSync(join(draft, 'fs/etc'), { recursive: true })
      writeFileSync(join(draft, 'fs/etc/half'), 'x')
      writeFileSync(`${draft}.lock`, '')
    },
    drafts: () => (existsSync(join(root, 'drafts')) ? readdirSync(join(root, 'drafts')) : []),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  }
})

function mount(mounts: readonly Mount[], target: string): void {
  const [first] = mounts
  if (first?.type === 'bind') execFileSync('mount', ['--rbind', first.source, target])
  else mountOverlay(mounts, target)
}

describe.each([
  ['fsopen(2)', mountOverlayByDescriptor],
  ['mount(2), as before Linux 6.5', mountOverlayByOptions],
])('an overlay by %s', (_, mountBy) => {
  test.each([1, 3, 60])('of %i layers shows the uppermost files and takes writes', (count) => {
    using folder = createTempDir('tsrun-overlay-')
    // Longer than fsconfig(2) takes as one value, and than a page for all of them.
    const deep = join(folder.path, 'x'.repeat(120), 'y'.repeat(120))
    const layers = Array.from({ length: count }, (_, i) => join(deep, `layer${i}`))
    for (const [i, layer] of layers.entries()) {
      mkdirSync(layer, { recursive: true })
      writeFileSync(join(layer, 'shared'), `${i}`)
      writeFileSync(join(layer, `only${i}`), '')
    }
    const [upper, work, target] = ['upper', 'work', 'mnt'].map((name) => join(deep, name))
    for (const path of [upper, work, target]) mkdirSync(path ?? '')
    const options = [`lowerdir=${layers.join(':')}`, `upperdir=${upper}`, `workdir=${work}`]
    mountBy({ source: 'overlay', options }, target ?? '')
    try {
      expect(readFileSync(join(target ?? '', 'shared'), 'utf8')).toBe('0')
      expect(readdirSync(target ?? '')).toHaveLength(count + 1)
      writeFileSync(join(target ?? '', 'new'), 'x')
      expect(readdirSync(upper ?? '')).toEqual(['new'])
    } finally {
      detachMount(target ?? '')
    }
    expect(readdirSync(target ?? '')).toEqual([])
  })
})

test('mountOverlayByOptions() refuses more layers than a page of options holds', () => {
  using folder = createTempDir('tsrun-overlay-')
  const lower = Array.from({ length: 300 }, () => folder.path).join(':')
  expect(() =>
    mountOverlayByOptions({ source: 'overlay', options: [`lowerdir=${lower}`] }, folder.path),
  ).toThrow(expect.objectContaining({ kind: 'not-implemented' }))
  expect(readdirSync('/proc/self/fd').length).toBeLessThan(200)
})
