/** Limits that podman, docker and containerd ask tsrun for, with either cgroup driver, are those that they get from runc. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildBusyboxImage } from '../../../rootfs-cache/build-busybox-image.mjs'
import { startContainerd } from '../../support/containerd.ts'
import { startDockerd } from '../../support/dockerd.ts'
import { startPodman } from '../../support/podman.ts'
import { TSRUN } from '../../support/runtime.ts'
import { eventually } from './limited-container.ts'

type Driver = 'cgroupfs' | 'systemd'

/** A caller of runtimes that is ready to run containers. */
interface Caller extends AsyncDisposable {
  /** Starts `sleep` as `id` under `runtime` with the limits below; returns the host pid of its init. */
  start(runtime: string, id: string): number
  remove(id: string): void
}

const FILES = [
  ...['cpu.max', 'cpu.weight', 'cpuset.cpus', 'memory.low', 'memory.max', 'memory.swap.max'],
  ...['pids.max', 'io.weight', 'hugetlb.2MB.max'],
]
const RUN_FLAGS = [
  ...['--memory=64m', '--memory-reservation=32m', '--memory-swap=96m', '--cpus=0.5'],
  ...['--cpu-shares=512', '--cpuset-cpus=0', '--pids-limit=40'],
]

async function podman(driver: Driver): Promise<Caller> {
  const server = await startPodman('tsrun', driver)
  return {
    start(runtime, id) {
      // Global flags of podman come before the verb; the last one of a name counts.
      const flags = [`--runtime=${runtime}`, 'run', '--detach', '--name', id, ...RUN_FLAGS]
      server.succeed([...flags, '--network=none', 'busybox', 'sleep', '1000'])
      return Number(server.succeed(['inspect', '--format={{.State.Pid}}', id]))
    },
    remove: (id) => server.succeed(['rm', '--force', '--time=0', id]),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

async function docker(driver: Driver): Promise<Caller> {
  const server = await startDockerd([`--exec-opt=native.cgroupdriver=${driver}`])
  return {
    start(runtime, id) {
      const name = runtime === TSRUN ? 'tsrun' : 'runc'
      const flags = [`--runtime=${name}`, '--name', id, ...RUN_FLAGS]
      server.succeed(['run', '--detach', ...flags, 'busybox', 'sleep', '1000'])
      return Number(server.succeed(['inspect', '--format={{.State.Pid}}', id]))
    },
    remove: (id) => server.succeed(['rm', '--force', id]),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

async function containerd(driver: Driver): Promise<Caller> {
  const server = await startContainerd(await buildBusyboxImage())
  const driverFlags = (id: string): readonly string[] =>
    driver === 'systemd' ? ['--runc-systemd-cgroup', '--cgroup', `system.slice:ctr:${id}`] : []
  return {
    start(runtime, id) {
      const limits = ['--memory-limit=67108864', '--cpu-quota=50000', '--cpu-period=100000']
      const flags = ['--detach', '--runc-binary', runtime, ...driverFlags(id), ...limits]
      const image = 'docker.io/library/busybox:latest'
      server.succeed(['run', ...flags, '--cpu-shares=512', image, id, 'sleep', '1000'])
      const row = server
        .succeed(['task', 'ls'])
        .split('\n')
        .find((line) => line.startsWith(`${id} `))
      return Number(row?.split(/\s+/)[1])
    },
    remove(id) {
      server.succeed(['task', 'delete', '--force', id])
      server.succeed(['container', 'delete', id])
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

interface Limited {
  /** With the container's id as `ID`. */
  readonly path: string
  readonly values: Readonly<Record<string, string>>
}

const DRIVERS: readonly Driver[] = ['cgroupfs', 'systemd']

describe.each(
  Object.entries({ podman, docker, containerd }).flatMap(([name, startCaller]) =>
    DRIVERS.map((driver) => ({ name, driver, startCaller })),
  ),
)('$name with the $driver driver', ({ name, driver, startCaller }) => {
  let caller: Caller
  beforeAll(async () => {
    caller = await startCaller(driver)
  })
  afterAll(() => caller[Symbol.asyncDispose]())

  const limitsUnder = async (runtime: string, id: string): Promise<Limited> => {
    const pid = caller.start(runtime, id)
    const path = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1] ?? ''
    const directory = join('/sys/fs/cgroup', path)
    const values = FILES.map((file) => [file, join(directory, file)] as const)
      .filter(([, file]) => existsSync(file))
      .map(([file, whole]) => [file, readFileSync(whole, 'utf8').trim()])
    caller.remove(id)
    await eventually(() => expect(existsSync(directory)).toBe(false))
    return {
      path: path.replaceAll(/[0-9a-f]{64}/g, 'ID').replaceAll(id, 'ID'),
      values: Object.fromEntries(values),
    }
  }

  it('applies the same limits in the same place as with runc, and removes it', async () => {
    const ours = await limitsUnder(TSRUN, `${name}-${driver}-tsrun`)
    const theirs = await limitsUnder('/usr/sbin/runc', `${name}-${driver}-runc`)
    expect(ours.values['memory.max']).toBe(`${64 << 20}`)
    expect(ours.values['cpu.max']).toBe('50000 100000')
    // cpu.shares 512 by the conversion of 2025 (runc 1.4, crun 1.24); Debian's runc has the one before.
    expect(theirs.values['cpu.weight']).toBe('20')
    expect(ours).toEqual({ ...theirs, values: { ...theirs.values, 'cpu.weight': '59' } })
  })
})
