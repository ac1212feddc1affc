/** Limits of config.json hold in the kernel, by its own counters; runc and crun are the oracles. */
import { statSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { installedRuntimes, makeRuntime, type Runtime } from '../../support/runtime.ts'
import { createTempDir } from '../../support/temp-dir.ts'
import { eventually, ratePerSecond, startLimited } from './limited-container.ts'

const MEBIBYTE = 1 << 20
const SPIN = 'while :; do :; done'

describe.each(installedRuntimes())('%s', (name) => {
  let runtime: Runtime
  beforeEach(() => {
    runtime = makeRuntime(name)
  })
  afterEach(() => runtime[Symbol.dispose]())

  it('memory.max kills the container that needs more', async () => {
    using container = startLimited(runtime, 'exec tail /dev/zero', {
      memory: { limit: 32 * MEBIBYTE },
    })
    await runtime.waitFor(container.id, 'stopped')
    expect(container.read('memory.max')).toBe(`${32 * MEBIBYTE}`)
    expect(container.count('memory.events', 'oom_kill')).toBe(1)
    const peak = Number(container.read('memory.peak'))
    expect(peak).toBeGreaterThan(31 * MEBIBYTE)
    expect(peak).toBeLessThanOrEqual(32 * MEBIBYTE)
  })

  it('memory.high throttles, and kills nothing', async () => {
    const script = `head -c ${24 * MEBIBYTE} /dev/zero | tail >/dev/null; exec sleep 1000`
    using container = startLimited(runtime, script, {
      unified: { 'memory.high': `${16 * MEBIBYTE}` },
    })
    await eventually(() => expect(container.count('memory.events', 'high')).toBeGreaterThan(0))
    await eventually(() =>
      expect(
        Number(/full .*total=(\d+)/.exec(container.read('memory.pressure'))?.[1]),
      ).toBeGreaterThan(0),
    )
    expect(container.count('memory.events', 'oom_kill')).toBe(0)
  })

  it('pids.max stops a fork bomb at the number', async () => {
    const script = '(while :; do sleep 1000 & done); exec sleep 1000'
    using container = startLimited(runtime, script, { pids: { limit: 20 } })
    await eventually(() => expect(container.count('pids.events', 'max')).toBeGreaterThan(0))
    expect(container.read('pids.peak')).toBe('20')
    expect(container.read('cgroup.procs').split('\n').length).toBeLessThanOrEqual(20)
  })

  it('cpu.max of a half is a half', async () => {
    using container = startLimited(runtime, SPIN, { cpu: { quota: 50_000, period: 100_000 } })
    await eventually(() => expect(container.count('cpu.stat', 'nr_throttled')).toBeGreaterThan(2))
    const share = (await ratePerSecond(() => container.count('cpu.stat', 'usage_usec'), 5)) / 1e6
    expect(share).toBeGreaterThan(0.45)
    expect(share).toBeLessThan(0.55)
  })

  it('weights of 1 to 4 share as 1 to 4', async () => {
    using small = startLimited(runtime, SPIN, { unified: { 'cpu.weight': '100' } })
    using large = startLimited(runtime, SPIN, { unified: { 'cpu.weight': '400' } })
    const usage = (container: typeof small) => () => container.count('cpu.stat', 'usage_usec')
    const [one, four] = await Promise.all([
      ratePerSecond(usage(small), 10),
      ratePerSecond(usage(large), 10),
    ])
    expect(four / one).toBeGreaterThan(4 * 0.85)
    expect(four / one).toBeLessThan(4 * 1.15)
  })

  it('io.max throttles direct writes', async () => {
    using directory = createTempDir()
    const limit = 4 * MEBIBYTE
    const [major, minor] = deviceOf(directory.path)
    const write = 'dd if=/dev/zero of=/data/file bs=256k count=256 oflag=direct conv=notrunc'
    using container = startLimited(
      runtime,
      `while :; do ${write}; done`,
      { blockIO: { throttleWriteBpsDevice: [{ major, minor, rate: limit }] } },
      (config) => {
        const mount = {
          destination: '/data',
          source: directory.path,
          type: 'bind',
          options: ['bind'],
        }
        return { ...config, mounts: [...(config.mounts ?? []), mount] }
      },
    )
    await eventually(() => expect(container.count('io.stat', 'wbytes')).toBeGreaterThan(limit))
    const rate = await ratePerSecond(() => container.count('io.stat', 'wbytes'), 5)
    expect(rate / limit).toBeGreaterThan(0.8)
    expect(rate / limit).toBeLessThan(1.2)
  })

  it('pause stops it, resume lets it go on', async () => {
    using container = startLimited(runtime, SPIN, {})
    const usage = (): number => container.count('cpu.stat', 'usage_usec')
    await eventually(() => expect(usage()).toBeGreaterThan(100_000))
    const expectFrozen = async (value: number): Promise<void> => {
      const check = (): void => expect(container.count('cgroup.events', 'frozen')).toBe(value)
      // crun may end before the kernel has stopped the last task; runc and tsrun wait for that.
      if (name === 'crun') await eventually(check)
      else check()
    }
    runtime.succeed(['pause', container.id])
    await expectFrozen(1)
    expect(runtime.state(container.id).status).toBe('paused')
    expect(await ratePerSecond(usage, 2)).toBe(0)
    runtime.succeed(['resume', container.id])
    await expectFrozen(0)
    expect(await ratePerSecond(usage, 2)).toBeGreaterThan(0)
  })
})

function deviceOf(path: string): readonly [number, number] {
  const { dev } = statSync(path)
  // The encoding of st_dev, as glibc's gnu_dev_major(3) takes it apart.
  return [(dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00)]
}
