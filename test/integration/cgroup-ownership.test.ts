/** A cgroup that belongs to the user of its container (config-linux.md "Cgroup ownership"), and its end. */
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { delegateCgroup } from '../../src/cgroup/delegate-cgroup.ts'
import { detectCgroups } from '../../src/cgroup/detect.ts'
import { inUserNamespace } from '../support/mount-probe.ts'
import { missing } from '../support/requires.ts'
import { makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle, withProcess } from '../support/runtime-bundle.ts'

const PATH = `/tsrun-test-owner-${process.pid}`

describe.skipIf(missing('root', 'cgroup2', 'userns'))('the cgroup of a container', () => {
  let bundle: Bundle
  let runtime: Runtime
  const own = join(detectCgroups()?.mountPoint ?? '', PATH)

  beforeAll(() => {
    bundle = makeBundle()
    chmodSync(bundle.directory, 0o711)
    runtime = makeRuntime()
  })
  afterAll(() => {
    runtime[Symbol.dispose]()
    bundle[Symbol.dispose]()
  })

  /** Runs `script` as root of a user namespace, with the cgroup mounted with `options`. */
  const configure = (script: string, options: readonly string[]): void =>
    bundle.configure((config) => {
      const { linux, mounts = [], ...rest } = inUserNamespace(config)
      const mount = { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options }
      const others = mounts.filter(({ destination }) => destination !== '/sys/fs/cgroup')
      return withProcess(
        { ...rest, mounts: [...others, mount], linux: { ...linux, cgroupsPath: PATH } },
        { args: ['sh', '-c', script] },
      )
    })
  const owner = (file = ''): number => statSync(join(own, file)).uid

  it('belongs to its user where it is mounted for writing, the files of a delegation alone [config-linux.md#cgroup-ownership/1]', () => {
    // With few controllers not every file of the list is there.
    const listed = readFileSync('/sys/kernel/cgroup/delegate', 'utf8').trim().split('\n')
    configure('sleep 1000', ['nosuid', 'noexec', 'nodev'])
    runtime.succeed(['create', '--bundle', bundle.directory, 'owned'], { stdio: 'ignore' })
    expect(owner()).toBe(100000)
    for (const file of readdirSync(own))
      expect([file, owner(file)]).toEqual([file, listed.includes(file) ? 100000 : 0])
    runtime.succeed(['delete', '--force', 'owned'])
  })

  it('can be divided inside, but not be given other limits', () => {
    const script = `cd /sys/fs/cgroup && mkdir in && echo $$ > in/cgroup.procs && cat /proc/self/cgroup
      echo 1 > cgroup.max.depth`
    configure(script, ['nosuid', 'noexec', 'nodev'])
    const { stdout, stderr } = runtime.run(['run', '--bundle', bundle.directory, 'owned'])
    expect(stdout).toContain('0::/in\n')
    expect(stderr).toMatch(/cgroup\.max\.depth: Permission denied/)
    expect(existsSync(own)).toBe(false)
  })

  it('stays the host’s where it is mounted read-only', () => {
    configure('mkdir /sys/fs/cgroup/in', ['nosuid', 'noexec', 'nodev', 'ro'])
    runtime.succeed(['create', '--bundle', bundle.directory, 'owned'], { stdio: 'ignore' })
    expect([owner(), owner('cgroup.procs')]).toEqual([0, 0])
    runtime.succeed(['delete', '--force', 'owned'])
  })

  it('goes with all that was made in it, deeper than any path can say', () => {
    const name = 'x'.repeat(250)
    const script = `cd /sys/fs/cgroup && mkdir a b && cd a
      for level in $(seq 30); do mkdir ${name} && cd -P ${name} 2>/dev/null; done
      mkdir side; echo made`
    configure(script, ['nosuid', 'noexec', 'nodev'])
    runtime.run(['run', '--keep', '--bundle', bundle.directory, 'deep'])
    // Deeper than PATH_MAX: the kernel itself cannot be asked for it by name.
    const depth = Number(
      /nr_descendants (\d+)/.exec(readFileSync(join(own, 'cgroup.stat'), 'utf8'))?.[1],
    )
    expect(depth).toBeGreaterThan(20)
    runtime.succeed(['delete', 'deep'])
    expect(existsSync(own)).toBe(false)
  })
})

describe.skipIf(missing('root'))('delegateCgroup()', () => {
  it('gives three files where the kernel has no list [config-linux.md#cgroup-ownership/2]', () => {
    const directory = mkdtempSync(join(tmpdir(), 'tsrun-delegate-'))
    const files = [
      'cgroup.procs',
      'cgroup.subtree_control',
      'cgroup.threads',
      'memory.max',
      'cgroup.kill',
    ]
    for (const file of files) writeFileSync(join(directory, file), '')
    delegateCgroup(directory, 4242, join(directory, 'no-list'))
    const owned = files.filter((file) => statSync(join(directory, file)).uid === 4242)
    expect(owned).toEqual(['cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads'])
    expect(statSync(directory)).toMatchObject({ uid: 4242, gid: 0 })
    rmSync(directory, { recursive: true })
  })
})
