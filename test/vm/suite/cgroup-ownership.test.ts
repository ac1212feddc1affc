/** A container with a user namespace owns its cgroup, and not its limits (config-linux.md "Cgroup ownership"). */
import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { makeRuntime, type Runtime } from '../../support/runtime.ts'
import { type Bundle, makeBundle } from '../../support/runtime-bundle.ts'

let bundle: Bundle
let runtime: Runtime

beforeAll(() => {
  bundle = makeBundle()
  spawnSync('chown', ['-R', '100000:100000', bundle.rootfs])
  spawnSync('chmod', ['711', bundle.directory])
  runtime = makeRuntime()
})
afterAll(() => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
})

function configure(mode: 'rw' | 'ro'): void {
  bundle.configure((config) => ({
    ...config,
    process: { cwd: '/', ...config.process, args: ['sleep', '1000'] },
    mounts: (config.mounts ?? []).map((mount) =>
      mount.destination === '/sys/fs/cgroup'
        ? { ...mount, type: 'cgroup', options: ['nosuid', 'noexec', 'nodev', mode] }
        : mount,
    ),
    linux: {
      ...config.linux,
      cgroupsPath: `/owned-${mode}`,
      resources: { memory: { limit: 67_108_864 }, pids: { limit: 50 } },
      namespaces: [...(config.linux?.namespaces ?? []), { type: 'user' }],
      uidMappings: [{ containerID: 0, hostID: 100_000, size: 65_536 }],
      gidMappings: [{ containerID: 0, hostID: 100_000, size: 65_536 }],
    },
  }))
}

it('makes cgroups below its own and moves into them, but cannot change its limits', () => {
  configure('rw')
  runtime.succeed(['run', '-d', '-b', bundle.directory, 'owned'], { stdio: 'ignore' })
  const inside = (script: string): string => {
    const command = `cd /sys/fs/cgroup; { ${script}; } 2>&1`
    const { stdout, stderr } = runtime.run(['exec', 'owned', 'sh', '-c', command])
    expect(stderr).toBe('')
    return stdout
  }
  expect(inside('mkdir a b && echo $$ >a/cgroup.procs && cat /proc/self/cgroup')).toBe('0::/a\n')
  expect(
    inside(
      'echo 1 >a/cgroup.procs; echo $$ >b/cgroup.procs; echo +pids >cgroup.subtree_control; cat a/cgroup.controllers',
    ),
  ).toBe('pids\n')
  expect(inside('echo max >memory.max; cat memory.max')).toMatch(/ermission denied\n67108864\n$/)
  expect(inside('echo max >pids.max; cat pids.max')).toMatch(/ermission denied\n50\n$/)
  expect(statSync('/sys/fs/cgroup/owned-rw').uid).toBe(100_000)
  expect(statSync('/sys/fs/cgroup/owned-rw/cgroup.procs').uid).toBe(100_000)
  expect(statSync('/sys/fs/cgroup/owned-rw/memory.max').uid).toBe(0)
  runtime.succeed(['delete', '--force', 'owned'])
  expect(statSync('/sys/fs/cgroup/owned-rw', { throwIfNoEntry: false })).toBeUndefined()
})

it('stays root’s when the container sees it read-only', () => {
  configure('ro')
  runtime.succeed(['run', '-d', '-b', bundle.directory, 'readonly'], { stdio: 'ignore' })
  expect(statSync('/sys/fs/cgroup/owned-ro').uid).toBe(0)
  runtime.succeed(['delete', '--force', 'readonly'])
})
