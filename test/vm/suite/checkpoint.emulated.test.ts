/** What was saved has its limits again when it goes on; runc is the oracle. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { installedRuntimes, makeRuntime, type Runtime } from '../../support/runtime.ts'
import { startLimited } from './limited-container.ts'

const LIMITS = {
  memory: { limit: 64 << 20 },
  pids: { limit: 17 },
  cpu: { quota: 50_000, period: 100_000 },
}
const FILES = ['memory.max', 'pids.max', 'cpu.max']

// Debian builds crun with it, but not into its command.
const names = installedRuntimes().filter((name) => name !== 'crun')

describe.each(names)('%s', (name) => {
  let runtime: Runtime
  beforeEach(() => {
    runtime = makeRuntime(name)
  })
  afterEach(() => runtime[Symbol.dispose]())

  it('restores memory, pids and cpu limits', () => {
    using container = startLimited(runtime, 'while :; do sleep 1; done', LIMITS)
    const values = (): readonly string[] => FILES.map((file) => container.read(file))
    const before = values()
    const images = ['--image-path', join(container.bundle.directory, 'images')]
    runtime.succeed(['checkpoint', ...images, container.id])
    const restore = ['restore', '--detach', '--bundle', container.bundle.directory, ...images]
    runtime.succeed([...restore, container.id], { stdio: 'ignore' })
    expect(values()).toEqual(before)
    const pid = Number(runtime.state(container.id).pid)
    expect(readFileSync(join(container.cgroup, 'cgroup.procs'), 'utf8').split('\n')).toContain(
      `${pid}`,
    )
  })
})
