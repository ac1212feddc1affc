/** Attacks by what runs inside a container on the runtime that comes to visit, each named by a flaw it repeats. */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { detectCgroups } from '../../src/cgroup/detect.ts'
import { CAPABILITIES } from '../../src/linux/capabilities.ts'
import type { RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { inUserNamespace } from '../support/mount-probe.ts'
import { missing } from '../support/requires.ts'
import { makeRuntime, type Runtime, TSRUN } from '../support/runtime.ts'
import { type Bundle, makeBundle, withProcess } from '../support/runtime-bundle.ts'

const ID = `hostile-${process.pid}`
const ALL = Object.keys(CAPABILITIES)
const EVERYTHING = { bounding: ALL, effective: ALL, permitted: ALL, inheritable: [], ambient: [] }

let bundle: Bundle
let runtime: Runtime

beforeEach(() => {
  bundle = makeBundle()
  chmodSync(bundle.directory, 0o711)
  runtime = makeRuntime()
})
afterEach(() => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
})

/** Of a file of a hundred megabytes, too: comparing them byte by byte ended the test's process. */
const digestOf = (path: string): string =>
  createHash('sha256').update(readFileSync(path)).digest('hex')

/** Root of a user namespace with every capability in it, and nothing masked. */
const asItsRoot = (config: RuntimeConfig): RuntimeConfig =>
  inUserNamespace({
    ...withProcess(config, { capabilities: EVERYTHING, noNewPrivileges: false }),
    root: { path: 'rootfs' },
    linux: { ...config.linux, maskedPaths: [] },
  })
const withoutCgroupNamespace = (config: RuntimeConfig): RuntimeConfig => ({
  ...config,
  linux: {
    ...config.linux,
    namespaces: (config.linux?.namespaces ?? []).filter(({ type }) => type !== 'cgroup'),
  },
})
function runScript(script: string, change: (config: RuntimeConfig) => RuntimeConfig) {
  bundle.configure((config) => change(withProcess(config, { args: ['sh', '-c', script] })))
  return runtime.run(['run', '--bundle', bundle.directory, ID])
}
function start(change: (config: RuntimeConfig) => RuntimeConfig): void {
  bundle.configure((config) => change(withProcess(config, { args: ['sleep', '1000'] })))
  runtime.succeed(['run', '--detach', '--bundle', bundle.directory, ID], { stdio: 'ignore' })
}

describe.skipIf(missing('root', 'userns'))('a process that waits for visitors', () => {
  // The watcher takes what processor time there is: slow on a busy machine.
  it('CVE-2016-9962, CVE-2019-5736: gets at nothing of them, as root of its user namespace', {
    timeout: 300_000,
  }, async () => {
    const natives = join(dirname(TSRUN), 'native')
    const parts = existsSync(natives)
      ? readdirSync(natives, { recursive: true, encoding: 'utf8' })
          .map((name) => join(natives, name))
          .filter((path) => statSync(path).isFile())
      : [TSRUN]
    const before = parts.map(digestOf)
    start(asItsRoot)
    // Where it leads, what it has open, its memory; and a try to overwrite what it runs.
    const look = [
      'while :; do for p in /proc/[0-9]*; do',
      '[ $p = /proc/$$ ] && continue',
      'echo "exe $(readlink $p/exe)"; for f in $p/fd/*; do echo "fd $(readlink $f)"; done',
      'cat $p/maps | grep -v /bin/busybox | grep memfd',
      '(printf x >>$p/exe) && echo "written $(readlink $p/exe)"',
      'done; sleep 0.02; done',
    ].join('\n')
    const watcher = runtime.start(['exec', ID, 'sh', '-c', look], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const ended = once(watcher, 'close')
    let seen = ''
    watcher.stdout?.on('data', (chunk: Buffer) => {
      seen += chunk.toString()
    })
    try {
      for (let i = 0; i < 2; i++) {
        runtime.succeed(['exec', ID, 'true'])
        await new Promise((resolve) => setImmediate(resolve))
      }
    } finally {
      runtime.run(['delete', '--force', ID])
      await ended
    }
    // It saw its own children, and so it looked; of ours neither programs nor sockets.
    expect(seen).toContain('exe /bin/busybox')
    expect(seen).not.toMatch(/memfd|tsrun|node|anon_inode|socket:|written/)
    expect(parts.map(digestOf)).toEqual(before)
  })

  it('CVE-2023-25809: finds the cgroups of the host read-only, without a cgroup namespace', () => {
    const script = 'cd /sys/fs/cgroup && ls cgroup.procs && ! mkdir x && ! echo $$ >cgroup.procs'
    const writable = (config: RuntimeConfig): RuntimeConfig => ({
      ...withoutCgroupNamespace(inUserNamespace(config)),
      mounts: (config.mounts ?? []).map((mount) =>
        mount.destination === '/sys/fs/cgroup' ? { ...mount, options: ['rw', 'nosuid'] } : mount,
      ),
    })
    const { status, stderr } = runScript(script, writable)
    expect(status).toBe(0)
    expect(stderr.match(/Read-only file system/g)).toHaveLength(2)
    // Nor can it lift that with the capabilities of the default.
    const again = 'mount -o remount,rw,bind /sys/fs/cgroup || mount -t cgroup2 x /tmp'
    expect(runScript(again, writable).status).not.toBe(0)
  })

  it('sees its own cgroup as the top, and no way up', () => {
    const script =
      'cat /proc/self/cgroup; cd /dev/shm; mkdir m; mount -t cgroup2 x m && cat m/cgroup.procs'
    const { stdout } = runScript(script, asItsRoot)
    expect(stdout).toMatch(/^0::\/$/m)
    expect(stdout).toMatch(/\n1\n/)
  })

  it('nests cgroups deeper than a path can say, and they are removed with it', () => {
    const names = 'a'.repeat(200)
    const nest = `cd /sys/fs/cgroup && i=0 && while [ $i -lt 40 ]; do mkdir ${names} && cd -P ${names} || break; i=$((i+1)); done`
    const spread =
      'cd /sys/fs/cgroup && i=0 && while [ $i -lt 300 ]; do mkdir w$i; i=$((i+1)); done'
    const { stdout, stderr } = runScript(`${spread}; ${nest}; echo made $i`, (config) => ({
      ...config,
      mounts: (config.mounts ?? []).map((mount) =>
        mount.destination === '/sys/fs/cgroup' ? { ...mount, options: ['rw', 'nosuid'] } : mount,
      ),
    }))
    expect(stdout).toBe('made 40\n')
    expect(stderr).not.toContain('level=error')
    expect(existsSync(join(detectCgroups()?.mountPoint ?? '', 'tsrun', ID))).toBe(false)
    expect(readdirSync(runtime.root)).toEqual([])
  })

  it('has a session keyring of its own', () => {
    const keys = 'cat /proc/keys'
    const { stdout } = runScript(keys, (config) => ({
      ...config,
      linux: { ...config.linux, maskedPaths: [] },
    }))
    expect(stdout).toContain(`_ses.${ID}`)
  })
})

describe.skipIf(missing('root'))('an image', () => {
  it('CVE-2022-23648, CVE-2025-24965: copies up and makes nothing through a link to the host', () => {
    const host = join(bundle.directory, 'host')
    mkdirSync(host)
    writeFileSync(join(host, 'secret'), 'of the host')
    symlinkSync(host, join(bundle.rootfs, 'data'))
    const mount = { destination: '/data', type: 'tmpfs', source: 'tmpfs', options: ['tmpcopyup'] }
    const { stdout } = runScript('ls -A /data; touch /data/made; echo done', (config) => ({
      ...config,
      root: { path: 'rootfs' },
      mounts: [...(config.mounts ?? []), mount],
    }))
    expect(stdout).toBe('done\n')
    expect(readdirSync(host)).toEqual(['secret'])
  })

  it.each(['proc', 'sys'])(
    'CVE-2023-27561, CVE-2023-28642: with /%s as a link to a folder of its own is refused',
    (name) => {
      const place = join(bundle.rootfs, name)
      mkdirSync(join(bundle.rootfs, 'elsewhere'))
      rmSync(place, { recursive: true, force: true })
      symlinkSync('/elsewhere', place)
      const { status, stdout } = runScript('echo ran', (config) => config)
      expect([status === 0, stdout]).toEqual([false, ''])
    },
  )
})

describe.skipIf(missing('root'))('the runtime', () => {
  it('CVE-2020-15257: listens on no abstract socket, which other containers could reach', () => {
    bundle.configure((config) => withProcess(config, { args: ['sleep', '1000'] }))
    const words = runtime.commandLine(['create', '--bundle', bundle.directory, ID])
    const script = '"$@" </dev/null >/dev/null 2>&1; echo "status $?"; cat /proc/net/unix'
    const { stdout } = spawnSync('unshare', ['-n', 'sh', '-c', script, 'sh', ...words], {
      encoding: 'utf8',
      timeout: 60_000,
    })
    expect(stdout).toContain('status 0')
    expect(stdout).toMatch(/ \/\S+\/start$/m)
    expect(stdout).not.toMatch(/ @/)
  })

  it('CVE-2020-5291: is set-user-ID in none of its files', () => {
    const folder = dirname(TSRUN)
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    for (const name of files) {
      const { mode } = statSync(join(folder, name))
      expect([name, mode & 0o6000]).toEqual([name, 0])
      expect([name, mode & 0o022]).toEqual([name, 0])
    }
  })

  it('podman#25104: signals nobody whose pid was once that of an init', async () => {
    start((config) => config)
    const file = join(runtime.root, ID, 'state.json')
    const record = JSON.parse(readFileSync(file, 'utf8'))
    runtime.succeed(['kill', ID, 'KILL'])
    await runtime.waitFor(ID, 'stopped')
    const bystander = spawn('sleep', ['1000'], { stdio: 'ignore' })
    const ended = once(bystander, 'exit')
    try {
      // The kernel gives pids again: the number is a bystander's now, its time of birth is not.
      writeFileSync(file, JSON.stringify({ ...record, pid: bystander.pid }))
      expect(runtime.state(ID).status).toBe('stopped')
      for (const words of [
        ['kill', ID, 'KILL'],
        ['exec', ID, 'true'],
        ['delete', '--force', ID],
      ])
        runtime.run(words)
      expect(bystander.exitCode ?? bystander.signalCode).toBeNull()
      expect(existsSync(join(runtime.root, ID))).toBe(false)
    } finally {
      bystander.kill('SIGKILL')
      await ended
    }
  })
})
