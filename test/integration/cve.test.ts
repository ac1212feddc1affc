/** Attacks on the runtime from a hostile image, config or process, each named by the flaw of another runtime it repeats. */
import { spawnSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Linux, RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { missing } from '../support/requires.ts'
import { type CommandResult, makeRuntime, type Runtime, TSRUN } from '../support/runtime.ts'
import { type Bundle, makeBundle, withProcess } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'

const ID = uniqueId('c')

describe.skipIf(missing('root'))('attacks that worked on other runtimes', () => {
  let bundle: Bundle
  let runtime: Runtime

  beforeEach(() => {
    bundle = makeBundle()
    runtime = makeRuntime()
  })
  afterEach(() => {
    runtime[Symbol.dispose]()
    bundle[Symbol.dispose]()
  })

  const writable = (config: RuntimeConfig): RuntimeConfig => ({
    ...config,
    root: { path: 'rootfs', readonly: false },
  })
  const runScript = (
    script: string,
    change: (config: RuntimeConfig) => RuntimeConfig = (config) => config,
  ): CommandResult => {
    bundle.configure((config) =>
      change(withProcess(writable(config), { args: ['sh', '-c', script] })),
    )
    return runtime.run(['run', '--bundle', bundle.directory, ID])
  }
  const startSleeping = (
    change: (config: RuntimeConfig) => RuntimeConfig = (config) => config,
  ): void => {
    bundle.configure((config) => change(withProcess(writable(config), { args: ['sleep', '1000'] })))
    runtime.succeed(['run', '--detach', '--bundle', bundle.directory, ID], { stdio: 'ignore' })
  }
  const replaceInRoot = (path: string, target: string): void => {
    rmSync(join(bundle.rootfs, path), { recursive: true, force: true })
    symlinkSync(target, join(bundle.rootfs, path))
  }

  describe('CVE-2019-5736: the runtime executable', () => {
    it('run() of /proc/self/exe runs a sealed copy, and the files of tsrun stay as they are', () => {
      const before = readFileSync(TSRUN)
      bundle.configure((config) => withProcess(config, { args: ['/proc/self/exe', '3'] }))
      expect(runtime.run(['run', '--bundle', bundle.directory, ID]).status).not.toBe(0)
      expect(readFileSync(TSRUN).equals(before)).toBe(true)
    })

    it('exec() of /proc/self/exe does not run a file of the host', () => {
      startSleeping()
      const result = runtime.run(['exec', ID, '/proc/self/exe', '3'])
      expect(result.status).not.toBe(0)
    })

    it('exec() shows no process of the runtime that the container can open', () => {
      startSleeping()
      const watch =
        'i=0; while [ $i -lt 300 ]; do i=$((i+1)); for p in /proc/[0-9]*; do readlink $p/exe; done; done | sort -u'
      const watcher = runtime.start(['exec', ID, 'sh', '-c', watch], {
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      let seen = ''
      watcher.stdout?.on('data', (chunk: Buffer) => {
        seen += chunk.toString()
      })
      const ended = new Promise((resolve) => watcher.once('close', resolve))
      for (let i = 0; i < 5; i++) runtime.succeed(['exec', ID, 'true'])
      return ended.then(() => {
        expect(seen).toContain('/bin/busybox')
        expect(seen.replaceAll('/bin/busybox\n', '')).not.toMatch(/node|tsrun$|\/dist\//m)
      })
    })
  })

  describe('CVE-2024-21626: descriptors that leak', () => {
    // Those that a careless caller leaves open, and those that tsrun itself may have.
    const DESCRIPTORS = Array.from({ length: 12 }, (_, i) => i + 3)
    const withLeak = (command: readonly string[]): CommandResult => {
      const line = 'exec 3</ 4</ 5</ 6</ 7</ 8</etc 9</; exec "$@"'
      const args = [TSRUN, '--root', runtime.root, ...command]
      const { status, stdout, stderr } = spawnSync('sh', ['-c', line, 'sh', ...args], {
        encoding: 'utf8',
        timeout: 60_000,
      })
      return { status, stdout, stderr, log: [] }
    }

    it('run() gives the process the three standard streams and nothing else', () => {
      bundle.command('sh', '-c', 'ls /proc/$$/fd; :')
      const result = withLeak(['run', '--bundle', bundle.directory, ID])
      expect(result.stdout.trim().split('\n')).toEqual(['0', '1', '2'])
    })

    it('exec() gives the process the three standard streams and nothing else', () => {
      startSleeping()
      const result = withLeak(['exec', ID, 'sh', '-c', 'ls /proc/$$/fd; :'])
      expect(result.stdout.trim().split('\n')).toEqual(['0', '1', '2'])
    })

    it.each(DESCRIPTORS)('run() refuses the working directory /proc/self/fd/%i', (fd) => {
      bundle.configure((config) =>
        withProcess(config, { cwd: `/proc/self/fd/${fd}`, args: ['ls', '../../..'] }),
      )
      const result = withLeak(['run', '--bundle', bundle.directory, ID])
      expect(result.status).not.toBe(0)
      expect(result.stdout).toBe('')
    })

    it.each(DESCRIPTORS)('exec() refuses the working directory /proc/self/fd/%i', (fd) => {
      startSleeping()
      const result = withLeak(['exec', '--cwd', `/proc/self/fd/${fd}`, ID, 'ls', '../../..'])
      expect(result.status).not.toBe(0)
      expect(result.stdout).toBe('')
    })
  })

  describe('CVE-2025-31133: masked paths', () => {
    it('run() masks with the device of the host, whatever the image calls /dev/null', () => {
      writeFileSync(join(bundle.rootfs, 'loot'), 'loot')
      replaceInRoot('dev/null', '/loot')
      const noDev = (config: RuntimeConfig): RuntimeConfig => ({
        ...config,
        mounts: (config.mounts ?? []).filter(({ destination }) => !destination.startsWith('/dev')),
      })
      const result = runScript('stat -c %t:%T /proc/keys; wc -c </proc/keys', noDev)
      expect(result.stdout).toBe('1:3\n0\n')
    })

    it('run() hides directories under something empty that cannot be written', () => {
      const result = runScript('ls -A /sys/firmware | wc -l; touch /sys/firmware/x')
      expect(result.stdout).toBe('0\n')
      expect(result.status).toBe(1)
    })

    it('run() leaves the readonly paths readonly', () => {
      const script = 'echo 0 >/proc/sys/vm/swappiness; echo 1 >/proc/sys/kernel/panic; echo done'
      const result = runScript(script)
      expect(result.stdout).toBe('done\n')
      expect(result.stderr.match(/Read-only file system/g)).toHaveLength(2)
    })
  })

  describe('CVE-2019-19921, CVE-2026-41579, CVE-2026-47766: directories that an image replaces by links', () => {
    it.each(['proc', 'sys', 'dev'])('run() refuses an image whose /%s leads elsewhere', (name) => {
      mkdirSync(join(bundle.rootfs, 'elsewhere'))
      replaceInRoot(name, '/elsewhere')
      const result = runScript('echo ran')
      expect(result.status).not.toBe(0)
      expect(result.stdout).toBe('')
    })

    it('CVE-2021-30465: run() keeps mounts inside the root whatever links lead to them', () => {
      mkdirSync(join(bundle.rootfs, 'opt/made'), { recursive: true })
      symlinkSync('/opt', join(bundle.rootfs, 'link'))
      symlinkSync('../../../../../../../..', join(bundle.rootfs, 'up'))
      const result = runScript(
        'grep -c -E " (/opt/made|/above|/dots) " /proc/mounts',
        (config) => ({
          ...config,
          mounts: [
            ...(config.mounts ?? []),
            ...['/link/made', '/up/above', '/../../dots'].map((destination) =>
              tmpfsAt(destination),
            ),
          ],
        }),
      )
      expect(result.stdout).toBe('3\n')
      expect(existsSync('/above') || existsSync('/dots')).toBe(false)
    })

    it('CVE-2024-45310: run() makes nothing behind a link that leads to the host', () => {
      const host = join(bundle.directory, 'host')
      mkdirSync(host)
      symlinkSync(host, join(bundle.rootfs, 'link'))
      runScript('true', (config) => ({
        ...config,
        mounts: [...(config.mounts ?? []), tmpfsAt('/link/made')],
      }))
      expect(existsSync(join(host, 'made'))).toBe(false)
    })
  })

  describe('CVE-2025-52565: the console', () => {
    it('run() refuses a /dev/console that is a link, and writes nothing behind it', () => {
      const noDev = (config: RuntimeConfig): RuntimeConfig => ({
        ...withProcess(config, { terminal: true }),
        mounts: (config.mounts ?? []).filter(
          ({ destination }) => !destination.startsWith('/dev') || destination === '/dev/pts',
        ),
      })
      writeFileSync(join(bundle.rootfs, 'loot'), 'loot')
      replaceInRoot('dev/console', '/loot')
      bundle.configure((config) => noDev(writable(config)))
      const result = spawnSync(
        'script',
        ['-qec', `${TSRUN} --root ${runtime.root} run -b ${bundle.directory} c`, '/dev/null'],
        { encoding: 'utf8', timeout: 60_000 },
      )
      expect(result.status).not.toBe(0)
      expect(readFileSync(join(bundle.rootfs, 'loot'), 'utf8')).toBe('loot')
    })
  })

  describe('CVE-2025-52881, CVE-2019-16884: settings of the kernel', () => {
    it.each([
      'kernel.core_pattern',
      'net/../kernel/core_pattern',
      'net.//./kernel.core_pattern',
      'net/ipv4/../../kernel/core_pattern',
      'kernel.shmmax\0',
    ])('run() refuses the setting %j', (name) => {
      const before = readFileSync('/proc/sys/kernel/core_pattern', 'utf8')
      const result = runScript('echo ran', (config) =>
        withLinux(config, { sysctl: { [name]: '|/x' } }),
      )
      expect(result.status).not.toBe(0)
      expect(readFileSync('/proc/sys/kernel/core_pattern', 'utf8')).toBe(before)
    })

    it('run() writes a setting to the kernel though /proc shows something else', () => {
      const script = 'mkdir /tmp/p; mount -t proc p /tmp/p; cat /tmp/p/sys/kernel/shmmni; ls /proc'
      const result = runScript(script, (config) => ({
        ...withCapability(
          withLinux(config, {
            sysctl: { 'kernel.shmmni': '4000' },
            maskedPaths: [],
            readonlyPaths: [],
          }),
          'CAP_SYS_ADMIN',
        ),
        mounts: [
          ...(config.mounts ?? []),
          { destination: '/proc', type: 'bind', source: '/proc/tty', options: ['bind'] },
        ],
      }))
      expect(result.stdout).toMatch(/^4000\n(.*\n)*drivers\n/)
    })
  })

  describe('CVE-2022-29162, CVE-2022-27650: what a process may', () => {
    const NONE = { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] }
    const sets = 'grep -E "^(Cap|NoNewPrivs)" /proc/self/status'

    it('run() leaves no capability in any set, and exec() neither', () => {
      const drop = (config: RuntimeConfig): RuntimeConfig =>
        withProcess(config, { capabilities: NONE })
      startSleeping(drop)
      const result = runtime.succeed(['exec', ID, 'sh', '-c', sets])
      expect(result.match(/Cap\w+:\t0{16}\n/g)).toHaveLength(5)
      expect(result).toContain('NoNewPrivs:\t1')
    })

    it('run() and exec() inherit nothing that the config does not name', () => {
      startSleeping((config) =>
        withProcess(config, {
          capabilities: {
            ...NONE,
            bounding: ['CAP_KILL'],
            effective: ['CAP_KILL'],
            permitted: ['CAP_KILL'],
          },
        }),
      )
      const status = runtime.succeed(['exec', ID, 'sh', '-c', sets])
      expect(status).toContain('CapInh:\t0000000000000000')
      expect(status).toContain('CapAmb:\t0000000000000000')
      expect(status).toContain('CapBnd:\t0000000000000020')
      const more = runtime.succeed(['exec', '--cap', 'CAP_CHOWN', ID, 'sh', '-c', sets])
      expect(more).toContain('CapInh:\t0000000000000000')
    })

    it('CVE-2017-5226: run() and exec() start a session of their own', () => {
      startSleeping()
      const fields = runtime.succeed(['exec', ID, 'sh', '-c', 'cat /proc/$$/stat; :']).split(' ')
      expect(fields[5]).toBe(fields[0])
    })

    it.each([
      '0x0',
      '-1',
      '4294967295',
      '4294967296',
      ' 0',
      '1e3',
      '',
      '+0',
      '1:',
      '1:2:3',
      'root',
    ])('CVE-2026-30892, CVE-2024-40635: exec() refuses the user %j', (user) => {
      startSleeping()
      const result = runtime.run(['exec', '--user', user, ID, 'id', '-u'])
      expect(result.status).not.toBe(0)
      expect(result.stdout).toBe('')
    })

    it('run() lets no disk of the host be read through a new device node', () => {
      const script = 'mknod /tmp/d b 254 0 && dd if=/tmp/d of=/tmp/o bs=512 count=1'
      const result = runScript(script, (config) => withCapability(config, 'CAP_MKNOD'))
      expect(result.status).not.toBe(0)
      expect(result.stderr).toContain("can't open '/tmp/d': Operation not permitted")
    })
  })

  it('CVE-2021-43784: run() takes long and hostile text as text', () => {
    const long = 'x'.repeat(100_000)
    bundle.configure((config) =>
      withProcess(config, {
        args: ['sh', '-c', 'echo "$A"'],
        env: ['PATH=/bin', `A=${long}\nB=1`],
      }),
    )
    const result = runtime.run(['run', '--bundle', bundle.directory, ID])
    expect(result.stdout).toBe(`${long}\nB=1\n`)
  })

  it('run() refuses a NUL in arguments, environment and paths', () => {
    for (const change of [
      { args: ['a\0b'] },
      { args: ['true'], env: ['A=\0'] },
      { args: ['true'], cwd: '/\0' },
    ]) {
      bundle.configure((config) => withProcess(config, change))
      expect(runtime.run(['run', '--bundle', bundle.directory, ID]).status).not.toBe(0)
    }
  })

  it('CVE-2024-25621: create() keeps its state from other users', () => {
    startSleeping()
    expect(statSync(runtime.root).mode & 0o7777).toBe(0o700)
    expect(statSync(join(runtime.root, ID)).mode & 0o7777).toBe(0o700)
    expect(statSync(join(runtime.root, ID, 'state.json')).mode & 0o077).toBe(0)
  })

  it.each([[[]], [['--no-pivot']]])('run(%j) lets nobody mount a procfs without masks', (flags) => {
    const mount = ['unshare', '-mrpf', 'mount', '-t', 'proc', 'none', '/proc']
    bundle.configure((config) =>
      withCapability(withProcess(config, { args: mount }), 'CAP_SETFCAP'),
    )
    const result = runtime.run(['run', ...flags, '--bundle', bundle.directory, ID])
    expect(result.stderr).toContain('permission denied')
    expect(result.status).toBe(1)
  })

  it('run() has no --preserve-fds beyond what is asked for', () => {
    const log = openSync('/dev/null', 'r')
    bundle.command('sh', '-c', 'ls /proc/$$/fd; :')
    const { stdout } = runtime.run(
      ['run', '--preserve-fds', '1', '--bundle', bundle.directory, ID],
      {
        stdio: ['ignore', 'pipe', 'pipe', log, log],
      },
    )
    closeSync(log)
    expect(stdout.trim().split('\n')).toEqual(['0', '1', '2', '3'])
  })
})

function withLinux(config: RuntimeConfig, change: Partial<Linux>): RuntimeConfig {
  return { ...config, linux: { ...config.linux, ...change } }
}

/** `config` with `name` in the sets that make a capability usable. */
function withCapability(config: RuntimeConfig, name: string): RuntimeConfig {
  const own = config.process?.capabilities ?? {}
  return withProcess(config, {
    capabilities: {
      ...own,
      bounding: [...(own.bounding ?? []), name],
      effective: [...(own.effective ?? []), name],
      permitted: [...(own.permitted ?? []), name],
    },
  })
}

function tmpfsAt(destination: string) {
  return { destination, type: 'tmpfs', source: 'tmpfs' }
}
