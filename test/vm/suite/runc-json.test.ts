/** What callers parse has runc's shape where every controller counts: events --stats, state, ps. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  installedRuntimes,
  makeRuntime,
  type Runtime,
  type RuntimeName,
} from '../../support/runtime.ts'
import { type LimitedContainer, startLimited } from './limited-container.ts'

const MEBIBYTE = 1 << 20
// Left out where nothing was counted: whose cgroup pays for a page of the shared busybox is chance. Pressure is runc 1.2's.
const DEPENDS = /^data\.(?:blkio\.io|memory\.cache|\w+\.psi\.)/

/** Every leaf of a document with its type, as `memory.usage.limit: number`; of a list the first element. */
function shapeOf(value: unknown, path = ''): readonly string[] {
  if (Array.isArray(value)) return value.length === 0 ? [] : shapeOf(value[0], `${path}[]`)
  if (typeof value !== 'object' || value === null) return [`${path}: ${typeof value}`]
  return Object.entries(value).flatMap(([key, inner]) =>
    shapeOf(inner, path === '' ? key : `${path}.${key}`),
  )
}

interface Side {
  readonly runtime: Runtime
  readonly container: LimitedContainer
}

function begin(name: RuntimeName): Side {
  const runtime = makeRuntime(name)
  const container = startLimited(runtime, 'exec sleep 1000', {
    memory: { limit: 64 * MEBIBYTE, swap: 64 * MEBIBYTE },
    pids: { limit: 20 },
    cpu: { shares: 512, quota: 50_000, period: 100_000 },
  })
  return { runtime, container }
}

describe.skipIf(!installedRuntimes().includes('runc'))('beside runc', () => {
  let ours: Side
  let theirs: Side
  beforeAll(() => {
    ours = begin('tsrun')
    theirs = begin('runc')
  })
  afterAll(() => {
    for (const { container, runtime } of [ours, theirs]) {
      container[Symbol.dispose]()
      runtime[Symbol.dispose]()
    }
  })

  const both = (argsOf: (id: string) => string[]): readonly [unknown, unknown] => {
    const [a, b] = [ours, theirs].map(({ runtime, container }) =>
      JSON.parse(runtime.succeed(argsOf(container.id))),
    )
    return [a, b]
  }

  it('events --stats', () => {
    const [a, b] = both((id) => ['events', '--stats', id])
    const steady = (document: unknown) =>
      shapeOf(document)
        .filter((leaf) => !DEPENDS.test(leaf))
        .toSorted()
    expect(steady(a)).toEqual(steady(b))
  })

  it('state', () => {
    const [a, b] = both((id) => ['state', id])
    expect(shapeOf(a).toSorted()).toEqual(shapeOf(b).toSorted())
  })

  it('list --format json', () => {
    const [a, b] = both(() => ['list', '--format', 'json'])
    expect(shapeOf(a).toSorted()).toEqual(shapeOf(b).toSorted())
  })

  it('ps --format json', () => {
    for (const { runtime, container } of [ours, theirs])
      expect(JSON.parse(runtime.succeed(['ps', '--format', 'json', container.id]))).toEqual([
        container.pid,
      ])
  })
})
