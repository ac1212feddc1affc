import { describe, expect, it } from 'vitest'
import { chooseContainers, type ListedContainer } from '../../../src/engine/list-containers.ts'

function container(
  name: string,
  more: {
    status?: 'running' | 'exited'
    exitCode?: number
    labels?: Record<string, string>
    image?: string
  } = {},
): ListedContainer {
  const { status = 'running', exitCode = 0, labels = {}, image = 'busybox' } = more
  return {
    record: {
      version: 1,
      id: name.padEnd(64, '0'),
      name,
      createdAt: `2026-01-0${name.length}T00:00:00.000Z`,
      image: { reference: image, id: `sha256:${'ab'.repeat(32)}` },
      entrypoint: [],
      command: ['sh'],
      terminal: false,
      openStdin: false,
      autoRemove: false,
      privileged: false,
      hostname: '',
      networkMode: 'none',
      user: '',
      labels,
      request: { image },
      volumes: [],
      stopSignal: 'SIGTERM',
      stateRoot: '/run/x',
      owned: false,
      state: { status },
    },
    status: {
      status,
      pid: status === 'running' ? 1 : 0,
      exitCode,
      startedAt: undefined,
      finishedAt: undefined,
      error: '',
      oomKilled: false,
      limitsReached: [],
      needsCleanup: false,
      unwatched: false,
      health: 'none',
    },
    stopped: false,
    endpoints: [],
  }
}

const all = [
  container('aaaa'),
  container('bbb', { status: 'exited', exitCode: 3 }),
  container('cc', { labels: { k: 'v', __proto__x: '' }, image: 'docker.io/library/alpine:3' }),
]

const names = (filters: string[], more = {}) =>
  chooseContainers(all, { all: true, filters, ...more }).map(({ record }) => record.name)

describe('chooseContainers()', () => {
  it('shows the running ones, all, or the last', () => {
    expect(names([], { all: false })).toEqual(['aaaa', 'cc'])
    expect(names([])).toEqual(['aaaa', 'bbb', 'cc'])
    expect(names([], { all: false, last: 2 })).toEqual(['aaaa', 'bbb'])
  })

  it.each([
    [['status=exited'], ['bbb']],
    [['exited=3'], ['bbb']],
    [['exited=4'], []],
    [['name=^a'], ['aaaa']],
    [
      ['name=a', 'name=c'],
      ['aaaa', 'cc'],
    ],
    [['name=a', 'status=exited'], []],
    [['label=k'], ['cc']],
    [['label=k=v'], ['cc']],
    [['label=k=w'], []],
    [['label=constructor'], []],
    [['ancestor=alpine:3'], ['cc']],
    [['ancestor=sha256:abab'], ['aaaa', 'bbb', 'cc']],
    [['before=aaaa'], ['bbb', 'cc']],
    [['since=cc'], ['aaaa', 'bbb']],
    [['id=bbb'], ['bbb']],
    [['network=none'], ['aaaa', 'bbb', 'cc']],
  ])('filters by %j', (filters, expected) => {
    expect(names(filters)).toEqual(expected)
  })

  it('shows ended ones without all when a filter asks for them', () => {
    expect(names(['status=exited'], { all: false })).toEqual(['bbb'])
  })

  it('refuses filters by name', () => {
    expect(() => names(['nope=1'])).toThrow(/cannot filter by "nope"/)
    expect(() => names(['status=odd'])).toThrow(/status "odd"/)
    expect(() => names(['status'])).toThrow(/key=value/)
    expect(() => names(['name=('])).toThrow(/name "\("/)
    expect(() => names(['before=zzz'])).toThrow(/no such container: zzz/)
  })
})
