/** Limits without root: in scopes of the user's own systemd, and in a cgroup that is delegated to the user. */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { buildBusyboxRootfs } from '../../../rootfs-cache/build-busybox-image.mjs'
import { defaultRuntimeConfig } from '../../../src/oci/default-config.ts'
import type { Resources } from '../../../src/oci/runtime-config.ts'
import { makeOrdinaryUser, type OrdinaryUser } from '../../support/ordinary-user.ts'
import { withProcess } from '../../support/runtime-bundle.ts'
import { until } from '../../support/until.ts'

const ID = 1000
const MANAGER = `/sys/fs/cgroup/user.slice/user-${ID}.slice/user@${ID}.service`
const SCOPE = join(MANAGER, 'user.slice/tsrun-c.scope')
const DROP_IN = '/run/systemd/system/user@.service.d'
const LIMITS: Resources = {
  memory: { limit: 67_108_864 },
  pids: { limit: 30 },
  cpu: { shares: 512, quota: 50_000, period: 100_000 },
}
const FILES = ['memory.max', 'memory.swap.max', 'pids.max', 'cpu.weight', 'cpu.max']

let user: OrdinaryUser
let bundle: string

async function startManager(): Promise<void> {
  spawnSync('loginctl', ['enable-linger', 'user'])
  execFileSync('systemctl', ['start', `user@${ID}.service`])
  await until('the user bus is there', () => existsSync(`/run/user/${ID}/bus`))
}

function configure(resources: Resources, ...args: readonly string[]): void {
  const config = defaultRuntimeConfig({ rootless: true, hostUid: ID, hostGid: ID })
  const plain = withProcess({ ...config, ociVersion: '1.0.0' }, { terminal: false, args })
  const linux = { ...plain.linux, resources }
  writeFileSync(join(bundle, 'config.json'), JSON.stringify({ ...plain, linux }))
}

function quietly(words: readonly string[]): readonly string[] {
  return ['sh', '-c', '"$@" </dev/null >/dev/null 2>&1', 'sh', ...words]
}

function runtime(name: string): readonly string[] {
  return name === 'tsrun' ? [user.tsrun, 'oci'] : [name]
}

function start(name: string, ...globals: readonly string[]): void {
  const words = [...runtime(name), ...globals, 'run', '-d', '-b', bundle, 'c']
  const { status } = user.run(quietly(words))
  // Once more, to be told why.
  if (status !== 0) user.succeed([...runtime(name), ...globals, 'run', '-b', bundle, 'c'])
}

function limitsOf(scope: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    FILES.map((file) => [file, readFileSync(join(scope, file), 'utf8').trim()]),
  )
}

function scopeOf(pid: unknown): string {
  return `/sys/fs/cgroup${readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().slice('0::'.length)}`
}

beforeAll(async () => {
  await startManager()
  user = makeOrdinaryUser({ id: ID, name: 'user', runtimeDirectory: `/run/user/${ID}` })
  bundle = join(user.directory, 'bundle')
  buildBusyboxRootfs(join(bundle, 'rootfs'))
  execFileSync('chown', ['-R', `${ID}:${ID}`, bundle])
})

afterEach(() => {
  for (const name of ['tsrun', 'runc', 'crun'])
    user.run([...runtime(name), 'delete', '--force', 'c'])
  expect(existsSync(SCOPE)).toBe(false)
})

afterAll(() => {
  user[Symbol.dispose]()
})

describe('--systemd-cgroup of a user', () => {
  it('sets the limits of runc and crun', () => {
    configure(LIMITS, 'sleep', '1000')
    const found = ['tsrun', 'runc', 'crun'].map((name) => {
      start(name, name === 'crun' ? '--cgroup-manager=systemd' : '--systemd-cgroup')
      const { pid } = JSON.parse(user.succeed([...runtime(name), 'state', 'c']))
      const scope = scopeOf(pid)
      expect(scope.startsWith(`${MANAGER}/`), `${name}: ${scope}`).toBe(true)
      const limits = limitsOf(scope)
      user.succeed([...runtime(name), 'delete', '--force', 'c'])
      return limits
    })
    expect(found[0]).toMatchObject({
      'memory.max': '67108864',
      'pids.max': '30',
      'cpu.max': '50000 100000',
    })
    for (const peer of found.slice(1))
      expect({ ...found[0], 'cpu.weight': 0 }).toEqual({ ...peer, 'cpu.weight': 0 })
  })

  it('holds exec, update, pause and the end of the container', () => {
    configure(LIMITS, 'sleep', '1000')
    start('tsrun', '--systemd-cgroup')
    const run = (...args: readonly string[]): string => user.succeed([...runtime('tsrun'), ...args])
    const pids = (): number =>
      readFileSync(join(SCOPE, 'cgroup.procs'), 'utf8').trim().split('\n').length
    expect(pids()).toBe(1)
    user.succeed(quietly([...runtime('tsrun'), 'exec', '-d', 'c', 'sleep', '1000']))
    expect(pids()).toBe(2)
    run('update', '--pids-limit', '40', 'c')
    expect(readFileSync(join(SCOPE, 'pids.max'), 'utf8')).toBe('40\n')
    run('pause', 'c')
    expect(JSON.parse(run('state', 'c')).status).toBe('paused')
    run('resume', 'c')
    run('delete', '--force', 'c')
    expect(existsSync(SCOPE)).toBe(false)
  })

  it('names the controller that is not delegated; the line that it names delegates it', async () => {
    configure({ cpu: { cpus: '0' } }, 'cat', '/sys/fs/cgroup/cpuset.cpus')
    const words = [...runtime('tsrun'), '--systemd-cgroup', 'run', '-b', bundle, 'c']
    const { stderr } = user.run(words)
    expect(stderr).toMatch(
      /cannot enable the cpuset controller in .*Delegate=cpu cpuset io memory pids/,
    )
    mkdirSync(DROP_IN, { recursive: true })
    try {
      writeFileSync(
        join(DROP_IN, 'delegate.conf'),
        '[Service]\nDelegate=cpu cpuset io memory pids\n',
      )
      await restartManager()
      expect(user.succeed(words)).toBe('0\n')
    } finally {
      rmSync(DROP_IN, { recursive: true })
      await restartManager()
    }
  })
})

async function restartManager(): Promise<void> {
  execFileSync('systemctl', ['daemon-reload'])
  execFileSync('systemctl', ['restart', `user@${ID}.service`])
  await until('the user bus is there', () => existsSync(`/run/user/${ID}/bus`))
}

describe('cgroupfs of a user', () => {
  it('limits below the part of the tree that is delegated', () => {
    configure(
      LIMITS,
      'sh',
      '-c',
      'cat /proc/self/cgroup; cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max',
    )
    const scope = ['systemd-run', '--user', '--scope', '-q', '-p', 'Delegate=yes']
    const output = user.succeed([...scope, ...runtime('tsrun'), 'run', '-b', bundle, 'c'])
    expect(output).toBe('0::/\n67108864\n30\n')
  })

  it('runs without limits where nothing is delegated, and says what to do where some are asked for', () => {
    configure({}, 'echo', 'hi')
    expect(user.succeed([...runtime('tsrun'), 'run', '-b', bundle, 'c'])).toBe('hi\n')
    configure(LIMITS, 'echo', 'hi')
    const { status, stderr } = user.run([...runtime('tsrun'), 'run', '-b', bundle, 'c'])
    expect(status).toBe(1)
    expect(stderr).toMatch(
      /cannot create the cgroup .*use --systemd-cgroup, start it with systemd-run --user --scope/,
    )
  })
})
