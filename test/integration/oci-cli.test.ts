/** The OCI command line: flags as Go reads them, the log, texts and exit codes that callers match. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseRuntimeConfig } from '../../src/oci/validate-runtime-config.ts'
import { makeRuntime, type Runtime, TSRUN } from '../support/runtime.ts'
import { type Bundle, makeBundle, withProcess } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'

const ID_B = uniqueId('b')
const COPY = uniqueId('copy')
const ID_D = uniqueId('d')
const FDS = uniqueId('fds')
const FLAGS = uniqueId('flags')
const ID_K = uniqueId('k')
const ID_P = uniqueId('p')
const ID_U = uniqueId('u')
const WARNED = uniqueId('warned')

let bundle: Bundle
let runtime: Runtime

beforeAll(() => {
  bundle = makeBundle()
  runtime = makeRuntime()
})
afterAll(() => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
})

const tsrun = (
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string } = {},
) => {
  const { status, stdout, stderr } = spawnSync(TSRUN, args, { encoding: 'utf8', ...options })
  return { status, stdout, stderr }
}

describe('without a container', () => {
  it('--version has the three lines that dockerd reads', () => {
    expect(tsrun(['--version'])).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^tsrun version \S+\ncommit: \S+\nspec: 1\.3\.0\n$/),
      stderr: '',
    })
  })

  it('features is JSON and nothing else, with debug too', () => {
    for (const args of [['features'], ['--debug', 'features']]) {
      const { status, stdout, stderr } = tsrun(args)
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
      expect(JSON.parse(stdout)).toMatchObject({
        ociVersionMin: '1.0.0',
        linux: { seccomp: { enabled: true }, cgroup: { v2: true } },
        mountOptions: expect.arrayContaining(['rro', 'bind']),
      })
    }
  })

  it('runs with an empty environment from any directory', () => {
    expect(tsrun(['features'], { env: {}, cwd: '/' }).status).toBe(0)
    expect(tsrun(['delete', '--force', 'unknown'], { env: {} })).toEqual({
      status: 0,
      stdout: '',
      stderr: '',
    })
  })

  it('spec writes a config.json that it accepts, and never over another', () => {
    const directory = mkdtempSync(join(tmpdir(), 'tsrun-spec-'))
    try {
      expect(tsrun(['spec', '--bundle', directory]).status).toBe(0)
      const text = readFileSync(join(directory, 'config.json'), 'utf8')
      expect(parseRuntimeConfig(text).process?.args).toEqual(['sh'])
      expect(tsrun(['spec'], { cwd: directory }).status).toBe(1)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })

  it('--debug-timings says where the time went, for a command that fails too', () => {
    const runtime = ['--debug-timings', '--root', join(tmpdir(), 'tsrun-nowhere')]
    const { status, stdout, stderr } = tsrun([...runtime, 'state', 'nobody'])
    expect([status, stdout]).toEqual([1, ''])
    const line = stderr.split('\n').find((text) => text.startsWith('timings: ')) ?? ''
    const times = [...line.matchAll(/(\w[\w ]*) ([\d.]+) ms/g)].map(([, name, value]) => ({
      name,
      value: Number(value),
    }))
    const names = ['engine start', 'load', 'compile', 'native', 'rest', 'total']
    expect(times.map(({ name }) => name)).toEqual(names)
    const parts = times.slice(0, -1).reduce((sum, { value }) => sum + value, 0)
    // Each is rounded to a tenth.
    expect(Math.abs(parts - (times.at(-1)?.value ?? 0))).toBeLessThan(0.5)
    expect(tsrun(['features']).stderr).toBe('')
  })

  it('checkpoint --help and restore --help succeed: engines ask by them', () => {
    expect(tsrun(['checkpoint', '--help']).status).toBe(0)
    expect(tsrun(['restore', '--help']).status).toBe(0)
  })

  it('help of each verb names its flags', () => {
    expect(tsrun(['oci', 'create', '--help']).stdout).toContain('--console-socket')
    expect(tsrun(['oci', 'exec', '--help']).stdout).toContain('--process')
  })
})

describe('with a container', () => {
  it('takes --flag=value, -flag and short forms, globals first', () => {
    bundle.command('true')
    const globals = [`--root=${runtime.root}`, '-log-format=json', '-log', '/dev/null']
    const create = ['create', '-b', bundle.directory, `-pid-file=${bundle.directory}/p`, FLAGS]
    expect(spawnSync(TSRUN, [...globals, ...create], { stdio: 'ignore' }).status).toBe(0)
    expect(existsSync(join(bundle.directory, 'p'))).toBe(true)
    expect(tsrun([...globals, 'delete', '-force', FLAGS]).status).toBe(0)
  })

  it('refuses a flag that it does not know, by name', () => {
    const result = runtime.run(['create', '--bundel', '/x', 'id'])
    expect(result.status).toBe(1)
    expect(result.stderr).toContain('--bundel')
  })

  it.skipIf(existsSync('/run/systemd/system'))('says that --systemd-cgroup needs systemd', () => {
    bundle.command('true')
    const { status, stderr } = runtime.run(['--systemd-cgroup', 'run', '-b', bundle.directory, 'x'])
    expect(status).toBe(1)
    expect(stderr).toContain('systemd is not the manager of this host')
    expect(runtime.run(['list', '-q']).stdout).toBe('')
  })

  it('logs one JSON line for an error, and none for success', () => {
    bundle.command('true')
    const failed = runtime.run(['start', 'unknown'])
    expect(failed.log).toHaveLength(1)
    expect(JSON.parse(failed.log[0] ?? '')).toMatchObject({
      level: 'error',
      msg: expect.stringContaining('does not exist'),
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    })
    expect(failed.stderr).toBe(`${JSON.parse(failed.log[0] ?? '').msg}\n`)
    expect(runtime.run(['delete', '--force', 'unknown']).log).toEqual([])
  })

  it('logs to stderr, in the same forms, where there is no log file', () => {
    const start = (...globals: readonly string[]): string =>
      tsrun(['--root', runtime.root, ...globals, 'start', 'unknown']).stderr
    expect(JSON.parse(start('--log-format', 'json'))).toMatchObject({ level: 'error' })
    expect(start()).toMatch(/^time="[^"]+" level=error msg=".*does not exist.*"\n$/)
  })

  it("logs as a warning what in the config has no effect, and nothing on the container's stderr", () => {
    bundle.configure((config) => ({
      ...withProcess(config, { args: ['true'], capabilities: { bounding: ['CAP_NOPE'] } }),
      linux: {
        ...config.linux,
        seccomp: {
          defaultAction: 'SCMP_ACT_ALLOW',
          syscalls: [{ names: ['muont'], action: 'SCMP_ACT_ERRNO' }],
        },
      },
    }))
    const { status, stderr, log } = runtime.run(['run', '--bundle', bundle.directory, WARNED])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(log.map((line) => JSON.parse(line))).toMatchObject([
      { level: 'warning', msg: expect.stringContaining('"CAP_NOPE"') },
      { level: 'warning', msg: expect.stringContaining('"muont"') },
    ])
    const args = ['--root', runtime.root, 'run', '--bundle', bundle.directory, WARNED]
    expect(tsrun(args).stderr).toBe('')
    expect(tsrun(['--debug', ...args]).stderr).toMatch(
      /level=warning msg=.*CAP_NOPE.*\n.*level=warning msg=.*muont/,
    )
  })

  it('hands over as many descriptors as --preserve-fds says, and no more', () => {
    bundle.command('sh', '-c', 'cat <&3; ls /proc/self/fd')
    const path = join(bundle.directory, 'file')
    writeFileSync(path, 'third\n')
    const output = join(bundle.directory, 'output')
    const run = (...flags: readonly string[]): string => {
      const fds = [openSync('/dev/null', 'r'), openSync(output, 'w'), openSync('/dev/null', 'w')]
      const [input, out, error] = fds as [number, number, number]
      runtime.run(['run', ...flags, '--bundle', bundle.directory, FDS], {
        stdio: [input, out, error, openSync(path, 'r'), openSync(path, 'r')],
      })
      return readFileSync(output, 'utf8')
    }
    // ls itself holds one descriptor for the folder that it lists.
    expect(run('--preserve-fds', '1')).toBe('third\n0\n1\n2\n3\n4\n')
    expect(run('--preserve-fds', '2')).toBe('third\n0\n1\n2\n3\n4\n5\n')
    bundle.command('ls', '/proc/self/fd')
    expect(run()).toBe('0\n1\n2\n3\n')
  })

  it('leaves the standard streams of the container blocking', () => {
    const O_NONBLOCK = 0o4000
    bundle.command('grep', 'flags', '/proc/self/fdinfo/1')
    const { stdout } = runtime.run(['run', '--bundle', bundle.directory, ID_B])
    const flags = Number.parseInt(/flags:\s+(\d+)/.exec(stdout)?.[1] ?? '', 8)
    expect(flags & O_NONBLOCK).toBe(0)
  })

  it('changes of the bundle after create have no effect [runtime.md#lifecycle/4]', async () => {
    bundle.command('sh', '-c', 'exit 0')
    runtime.succeed(['create', '--bundle', bundle.directory, COPY], { stdio: 'ignore' })
    bundle.command('/nonexistent')
    runtime.succeed(['start', COPY])
    await runtime.waitFor(COPY, 'stopped')
    runtime.succeed(['delete', COPY])
  })

  it("ps prints the lines of the host's ps, with its options, with or without a PATH", () => {
    bundle.command('sleep', '1000')
    runtime.succeed(['run', '-d', '--bundle', bundle.directory, ID_P], { stdio: 'ignore' })
    const pid = String(runtime.state(ID_P).pid)
    for (const env of [process.env, {}]) {
      const [head, row, ...others] = runtime.succeed(['ps', ID_P], { env }).trim().split('\n')
      expect(head?.split(/\s+/)).toEqual(expect.arrayContaining(['UID', 'PID', 'CMD']))
      expect(row).toContain(` ${pid} `)
      expect(others).toEqual([])
    }
    const columns = ['ps', ID_P, '-e', '-o', 'pid,args']
    expect(runtime.succeed(columns).trim().split('\n').at(-1)?.trim()).toBe(`${pid} sleep 1000`)
    const without = runtime.run(['ps', ID_P, '-e', '-o', 'args'])
    expect(without).toMatchObject({ status: 1, stderr: expect.stringContaining('PID column') })
    const missing = runtime.run(['ps', ID_P], { env: { PATH: '/nonexistent' } })
    expect(missing).toMatchObject({ status: 1, stderr: expect.stringContaining('install procps') })
    runtime.succeed(['delete', '--force', ID_P])
  })

  it('update changes the device rules, and keeps them where it is given none', async () => {
    // The numbers of no driver: what open(2) says then tells whether the rules refused it.
    const openDevice = (): string =>
      runtime.run(['exec', ID_D, 'sh', '-c', ': < /dev/unclaimed']).stderr
    const update = (resources: object): void => {
      runtime.succeed(['update', '--resources=-', ID_D], { input: JSON.stringify(resources) })
    }
    const denied = { allow: false, access: 'rwm' }
    const allowed = { allow: true, type: 'c', major: 240, access: 'r' }
    bundle.configure((config) => ({
      ...withProcess(config, { args: ['sleep', '1000'] }),
      linux: {
        ...config.linux,
        devices: [{ path: '/dev/unclaimed', type: 'c', major: 240, minor: 250 }],
        resources: { devices: [denied] },
      },
    }))
    runtime.succeed(['run', '-d', '--bundle', bundle.directory, ID_D], { stdio: 'ignore' })
    expect(openDevice()).toContain('Operation not permitted')
    update({ devices: [denied, allowed] })
    expect(openDevice()).toContain('No such device or address')
    update({})
    expect(openDevice()).toContain('No such device or address')
    update({ devices: [denied] })
    expect(openDevice()).toContain('Operation not permitted')
    runtime.succeed(['delete', '--force', ID_D])
  })

  it('update with {} succeeds, as docker update --restart calls it', () => {
    bundle.command('sleep', '1000')
    runtime.succeed(['run', '-d', '--bundle', bundle.directory, ID_U], { stdio: 'ignore' })
    expect(runtime.run(['update', '--resources=-', ID_U], { input: '{}' }).status).toBe(0)
    expect(runtime.run(['update', '--resources', '-', ID_U], { input: '{"pids":7}' }).status).toBe(
      1,
    )
    runtime.succeed(['delete', '--force', ID_U])
  })

  it('kill --all of a stopped container succeeds', () => {
    bundle.command('true')
    runtime.succeed(['create', '--bundle', bundle.directory, ID_K], { stdio: 'ignore' })
    runtime.succeed(['kill', ID_K, '9'])
    expect(runtime.run(['kill', '--all', ID_K, '9'])).toMatchObject({ status: 0, stderr: '' })
    runtime.succeed(['delete', '--force', ID_K])
  })
})
