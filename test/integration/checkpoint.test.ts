/** checkpoint and restore: real containers through a real criu where one works; runc is the oracle. */
import { spawn, spawnSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pipePair } from '../../src/native/pass-descriptors.ts'
import { listenForConsole, untilTerminalShows } from '../support/console-socket.ts'
import { workingCriu } from '../support/criu.ts'
import { installedRuntimes, makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle, withProcess } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'

const ID_B = uniqueId('b')
const ID_C = uniqueId('c')
const ID_F = uniqueId('f')
const ID_H = uniqueId('h')
const ID_K = uniqueId('k')
const ID_L = uniqueId('l')
const ID_N = uniqueId('n')
const ID_O = uniqueId('o')
const ID_P = uniqueId('p')
const ID_R = uniqueId('r')
const ID_T = uniqueId('t')

const CRIU = workingCriu()
// CONFIG_MEM_SOFT_DIRTY of the kernel.
const TRACKS_MEMORY =
  CRIU !== undefined && spawnSync(CRIU, ['check', '--feature', 'mem_dirty_track']).status === 0
const COUNT = 'i=0; while :; do i=$((i+1)); echo $i > /dev/shm/count; sleep 0.02; done'

if (CRIU === undefined) console.warn('skipped: no criu that works on this kernel')
else process.env.PATH = `${dirname(CRIU)}:${process.env.PATH}`

// crun is built without criu in Debian 12.
const names = installedRuntimes().filter((name) => name !== 'crun')

describe.skipIf(CRIU === undefined).each(names)('%s', (name) => {
  let bundle: Bundle
  let runtime: Runtime
  let images: string

  beforeAll(() => {
    bundle = makeBundle()
    runtime = makeRuntime(name)
    images = join(bundle.directory, 'images')
  })
  afterAll(() => {
    runtime[Symbol.dispose]()
    bundle[Symbol.dispose]()
  })

  const run = (id: string): void => {
    runtime.succeed(['run', '-d', '--bundle', bundle.directory, id], { stdio: 'ignore' })
  }
  const checkpoint = (id: string, ...flags: readonly string[]): void => {
    runtime.succeed(['checkpoint', '--image-path', images, ...flags, id])
  }
  const restore = (id: string, ...flags: readonly string[]): void => {
    runtime.succeed(
      ['restore', '-d', '--bundle', bundle.directory, '--image-path', images, ...flags, id],
      { stdio: 'ignore' },
    )
  }
  const count = (id: string): number =>
    Number(runtime.run(['exec', id, 'cat', '/dev/shm/count']).stdout)
  const untilCount = async (id: string): Promise<number> => {
    for (;;) {
      const value = count(id)
      if (value > 0) return value
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  it('saves a container, twice, which goes on where it was', async () => {
    bundle.command('sh', '-c', COUNT)
    run(ID_C)
    for (let round = 0; round < 2; round++) {
      const before = await untilCount(ID_C)
      checkpoint(ID_C)
      expect(runtime.run(['state', ID_C]).status).toBe(1)
      const pidFile = join(bundle.directory, 'pid')
      restore(ID_C, '--pid-file', pidFile)
      const state = runtime.state(ID_C)
      expect(state).toMatchObject({ id: ID_C, status: 'running', bundle: bundle.directory })
      expect(readFileSync(pidFile, 'utf8')).toBe(String(state.pid))
      expect(await untilCount(ID_C)).toBeGreaterThanOrEqual(before)
    }
    // It is a container like any other.
    expect(runtime.succeed(['exec', ID_C, 'sh', '-c', 'echo $$ && cat /proc/1/comm'])).toMatch(
      /\nsh\n$/,
    )
    expect(JSON.parse(runtime.succeed(['ps', '--format', 'json', ID_C]))).toContain(
      runtime.state(ID_C).pid,
    )
    runtime.succeed(['pause', ID_C])
    expect(runtime.state(ID_C).status).toBe('paused')
    runtime.succeed(['resume', ID_C])
    runtime.succeed(['kill', ID_C, 'KILL'])
    await runtime.waitFor(ID_C, 'stopped')
    runtime.succeed(['delete', ID_C])
  })

  it('leaves it running, when told to', async () => {
    bundle.command('sh', '-c', COUNT)
    run(ID_L)
    await untilCount(ID_L)
    checkpoint(ID_L, '--leave-running')
    expect(runtime.state(ID_L).status).toBe('running')
    expect(await untilCount(ID_L)).toBeGreaterThan(0)
    runtime.succeed(['delete', '--force', ID_L])
  })

  it.skipIf(TRACKS_MEMORY)('refuses a pre-dump where the kernel does not track memory', () => {
    bundle.command('sleep', '1000')
    run(ID_L)
    const result = runtime.run(['checkpoint', '--pre-dump', '--image-path', images, ID_L])
    expect(result.status).toBe(1)
    expect(runtime.state(ID_L).status).toBe('running')
    runtime.succeed(['delete', '--force', ID_L])
  })

  it.skipIf(!TRACKS_MEMORY)('saves memory beforehand', async () => {
    bundle.command('sh', '-c', COUNT)
    run(ID_L)
    await untilCount(ID_L)
    const parent = join(bundle.directory, 'parent')
    runtime.succeed(['checkpoint', '--pre-dump', '--image-path', parent, ID_L])
    expect(runtime.state(ID_L).status).toBe('running')
    const child = join(bundle.directory, 'child')
    runtime.succeed(['checkpoint', '--parent-path', '../parent', '--image-path', child, ID_L])
    expect(existsSync(join(child, 'parent'))).toBe(true)
    runtime.succeed(['restore', '-d', '--bundle', bundle.directory, '--image-path', child, ID_L], {
      stdio: 'ignore',
    })
    expect(await untilCount(ID_L)).toBeGreaterThan(0)
    runtime.succeed(['delete', '--force', ID_L])
  })

  it('gives new pipes to a restored container', () => {
    bundle.command('sh', '-c', 'while read x; do echo got $x; done; echo end')
    const start = (...args: readonly string[]): Disposable & { say(text: string): string } => {
      const [input, toInput] = pipePair()
      const [fromOutput, output] = pipePair()
      runtime.succeed(args, { stdio: [input.fd, output.fd, output.fd] })
      for (const fd of [input, output]) fd.close()
      return {
        say(text) {
          writeSync(toInput.fd, text)
          toInput.close()
          return readFileSync(fromOutput.fd, 'utf8')
        },
        [Symbol.dispose]() {
          for (const fd of [toInput, fromOutput]) fd.close()
        },
      }
    }
    const flags = ['-d', '--bundle', bundle.directory]
    using _first = start('run', ...flags, ID_P)
    checkpoint(ID_P)
    using second = start('restore', ...flags, '--image-path', images, ID_P)
    expect(second.say('one\n')).toBe('got one\nend\n')
    runtime.succeed(['delete', '--force', ID_P])
  })

  it('restores a terminal, behind a new console socket', async () => {
    bundle.configure((config) =>
      withProcess(config, {
        terminal: true,
        args: ['sh', '-c', 'while read x; do echo got $x; done'],
      }),
    )
    using socket = listenForConsole()
    const console = ['--console-socket', socket.path]
    runtime.succeed(['run', '-d', ...console, '--bundle', bundle.directory, ID_T])
    const { master: old } = socket.accept()
    checkpoint(ID_T)
    old.destroy()
    restore(ID_T, ...console)
    const { master } = socket.accept()
    const shown = untilTerminalShows(master, 'got one')
    master.write('one\n')
    await shown
    master.destroy()
    runtime.succeed(['delete', '--force', ID_T])
  })

  it('restores bind mounts, also nested ones and behind a link', () => {
    mkdirSync(join(bundle.directory, 'data/sub'), { recursive: true })
    writeFileSync(join(bundle.directory, 'data/file'), 'data')
    writeFileSync(join(bundle.directory, 'file'), 'single')
    mkdirSync(join(bundle.rootfs, 'real'), { recursive: true })
    symlinkSync('/real', join(bundle.rootfs, 'link'))
    bundle.configure((config) => ({
      ...withProcess(config, { args: ['sleep', '1000'] }),
      mounts: [
        ...(config.mounts ?? []),
        { destination: '/link/data', type: 'bind', source: 'data', options: ['rbind'] },
        {
          destination: '/real/data/sub/deep',
          type: 'bind',
          source: 'data',
          options: ['bind', 'ro'],
        },
        {
          destination: '/etc/file',
          type: 'bind',
          source: join(bundle.directory, 'file'),
          options: ['bind'],
        },
      ],
    }))
    run(ID_B)
    checkpoint(ID_B)
    restore(ID_B)
    const files = ['/real/data/file', '/real/data/sub/deep/file', '/etc/file']
    expect(runtime.succeed(['exec', ID_B, 'cat', ...files])).toBe('datadatasingle')
    runtime.succeed(['delete', '--force', ID_B])
  })

  it('keeps a network namespace that it was given', () => {
    const holder = spawn('unshare', ['-n', 'sleep', '1000'], { stdio: 'ignore' })
    try {
      const path = `/proc/${holder.pid}/ns/net`
      bundle.configure((config) => ({
        ...withProcess(config, { args: ['sleep', '1000'] }),
        linux: {
          ...config.linux,
          namespaces: (config.linux?.namespaces ?? []).map((namespace) =>
            namespace.type === 'network' ? { ...namespace, path } : namespace,
          ),
        },
      }))
      run(ID_N)
      checkpoint(ID_N)
      restore(ID_N)
      const netns = (pid: unknown): string =>
        spawnSync('readlink', [`/proc/${pid}/ns/net`], { encoding: 'utf8' }).stdout
      expect(netns(runtime.state(ID_N).pid)).toBe(netns(holder.pid))
      runtime.succeed(['delete', '--force', ID_N])
    } finally {
      holder.kill('SIGKILL')
    }
  })

  it('a restore in the foreground ends as the container does', async () => {
    bundle.command('sh', '-c', 'while [ ! -e /dev/shm/go ]; do sleep 0.02; done; exit 7')
    run(ID_F)
    checkpoint(ID_F)
    const waiting = runtime.start([
      'restore',
      '--bundle',
      bundle.directory,
      '--image-path',
      images,
      ID_F,
    ])
    const ended = new Promise((resolve) => waiting.on('exit', resolve))
    while (runtime.run(['exec', ID_F, 'touch', '/dev/shm/go']).status !== 0)
      await new Promise((resolve) => setTimeout(resolve, 50))
    expect(await ended).toBe(7)
    expect(runtime.run(['state', ID_F]).status).toBe(1)
  })

  it('refuses a container that does not run, and images that are not there', () => {
    bundle.command('sleep', '1000')
    runtime.succeed(['create', '--bundle', bundle.directory, ID_R], { stdio: 'ignore' })
    const created = runtime.run(['checkpoint', '--image-path', images, ID_R])
    expect(created.status).toBe(1)
    expect(created.log.join()).toContain('Container cannot be checkpointed in created state')
    const parent = runtime.run([
      'checkpoint',
      '--parent-path',
      '/absolute',
      '--image-path',
      images,
      ID_R,
    ])
    expect(parent.status).toBe(1)
    runtime.succeed(['delete', '--force', ID_R])
    const gone = join(bundle.directory, 'no-images')
    const missing = runtime.run([
      'restore',
      '-d',
      '--bundle',
      bundle.directory,
      '--image-path',
      gone,
      ID_R,
    ])
    expect(missing.status).toBe(1)
    expect(missing.log.join()).toMatch(/descriptors\.json: no such file or directory/)
    expect(runtime.run(['state', ID_R]).status).toBe(1)
  })
})

describe.skipIf(CRIU === undefined)('tsrun', () => {
  it('runs the hooks of a restore, and undoes one that fails', () => {
    using bundle = makeBundle()
    using runtime = makeRuntime()
    const images = join(bundle.directory, 'images')
    const seen = join(bundle.directory, 'seen')
    const hook = (script: string) => ({ path: '/bin/sh', args: ['sh', '-c', script] })
    const configure = (script: string): void =>
      bundle.configure((config) => ({
        ...withProcess(config, { args: ['sleep', '1000'] }),
        hooks: { createRuntime: [hook(script)] },
      }))
    configure(`cat > ${seen}`)
    runtime.succeed(['run', '-d', '--bundle', bundle.directory, ID_H], { stdio: 'ignore' })
    runtime.succeed(['checkpoint', '--image-path', images, ID_H])
    const restore = ['restore', '-d', '--bundle', bundle.directory, '--image-path', images, ID_H]
    writeFileSync(seen, '')
    runtime.succeed(restore, { stdio: 'ignore' })
    expect(JSON.parse(readFileSync(seen, 'utf8'))).toMatchObject({
      id: ID_H,
      pid: runtime.state(ID_H).pid,
    })
    runtime.succeed(['checkpoint', '--image-path', images, ID_H])
    configure('echo no >&2; exit 3')
    const failed = runtime.run(restore)
    expect(failed.status).toBe(1)
    expect(failed.stderr).toContain('exit status 3, stderr: no')
    expect(readdirSync(runtime.root)).toEqual([])
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    expect(mounts).not.toContain(runtime.root)
  })

  it('leaves nothing of a restore that is killed, or a whole container', async () => {
    using bundle = makeBundle()
    using runtime = makeRuntime()
    bundle.command('sleep', '1000')
    const images = join(bundle.directory, 'images')
    runtime.succeed(['run', '-d', '--bundle', bundle.directory, ID_K], { stdio: 'ignore' })
    runtime.succeed(['checkpoint', '--image-path', images, ID_K])
    const flags = ['-d', '--bundle', bundle.directory, '--image-path', images]
    for (const delay of [120, 160, 200, 250, 300, 400]) {
      const restoring = runtime.start(['restore', ...flags, ID_K])
      const ended = new Promise((resolve) => restoring.on('exit', resolve))
      setTimeout(() => restoring.kill('SIGKILL'), delay)
      await ended
      const state = runtime.run(['state', ID_K])
      if (state.status === 0) {
        await runtime.waitFor(ID_K, 'running')
        expect(runtime.succeed(['exec', ID_K, 'echo', 'alive'])).toBe('alive\n')
        runtime.succeed(['delete', '--force', ID_K])
      }
      expect(readdirSync(runtime.root)).toEqual([])
      expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(runtime.root)
    }
    runtime.succeed(['restore', ...flags, ID_K], { stdio: 'ignore' })
    runtime.succeed(['delete', '--force', ID_K])
  })

  it('says in the words of criu why it could not save, and lets the container run', () => {
    using bundle = makeBundle()
    using runtime = makeRuntime()
    bundle.command('sleep', '1000')
    // A file of the host, which the container has not got.
    const output = openSync(join(bundle.directory, 'output'), 'w')
    runtime.succeed(['run', '-d', '--bundle', bundle.directory, ID_O], {
      stdio: ['ignore', output, output],
    })
    closeSync(output)
    const result = runtime.run([
      'checkpoint',
      '--image-path',
      join(bundle.directory, 'images'),
      ID_O,
    ])
    expect(result.status).toBe(1)
    expect(result.stderr).toMatch(/criu failed: Can't lookup mount=\d+ for fd=1/)
    expect(runtime.state(ID_O).status).toBe('running')
    expect(runtime.succeed(['exec', ID_O, 'echo', 'alive'])).toBe('alive\n')
  })
})
