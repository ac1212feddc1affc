/** Behind a link named runc: its name, the first words of its errors, its debug lines. runc runs the same cases. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, openSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RuntimeConfig, Seccomp } from '../../src/oci/runtime-config.ts'
import { inCgroup2 } from '../support/cgroup2.ts'
import { TSRUN } from '../support/runtime.ts'
import { type Bundle, makeBundle, withProcess } from '../support/runtime-bundle.ts'

const ID = `named-${process.pid}`
const FILTER: Seccomp = {
  defaultAction: 'SCMP_ACT_ALLOW',
  flags: ['SECCOMP_FILTER_FLAG_LOG'],
  syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_ERRNO' }],
}
const isInstalled = spawnSync('runc', ['--version']).status === 0

let directory: string
let bundle: Bundle

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tsrun-name-'))
  symlinkSync(TSRUN, join(directory, 'runc'))
  bundle = makeBundle()
})
afterAll(() => {
  bundle[Symbol.dispose]()
  rmSync(directory, { recursive: true, force: true })
})

describe.each(isInstalled ? ['tsrun', 'runc'] : ['tsrun'])('%s', (name) => {
  const start = (args: readonly string[], stdio: 'pipe' | 'ignore') => {
    const command = name === 'tsrun' ? join(directory, 'runc') : 'runc'
    const [program, ...words] = inCgroup2([
      command,
      '--root',
      join(directory, `root-${name}`),
      ...args,
    ])
    return spawnSync(program, words, { encoding: 'utf8', stdio, timeout: 60_000 })
  }
  const runc = (...args: readonly string[]) => {
    const { status, stdout, stderr } = start(args, 'pipe')
    return { status, stdout, stderr }
  }
  const configure = (
    args: readonly string[],
    change: (config: RuntimeConfig) => RuntimeConfig = (config) => config,
  ): void => {
    bundle.configure((config) =>
      change({ ...withProcess(config, { args }), root: { path: 'rootfs' } }),
    )
  }

  it('says its name in --version and in the help', () => {
    expect(runc('--version').stdout).toMatch(/^runc version \d+\.\d+\.\d+\S*\n/)
    expect(runc('--help').stdout).toMatch(/^NAME:\n {3}runc - Open Container Initiative runtime\n/)
    expect(runc('kill', '--help').stdout).toMatch(/^NAME:\n {3}runc kill - /)
    expect(runc('help', 'kill').stdout).toMatch(/^NAME:\n {3}runc kill - /)
    expect(runc('kill', '--nonsense').stdout).toContain('\n   runc kill - ')
  })

  it('begins the errors of run and create with its words', () => {
    configure(['/none'])
    const exec = /runc (run|create) failed: unable to start container process: exec: ..?\/none/
    expect(runc('run', '--bundle', bundle.directory, ID).stderr).toMatch(exec)
    expect(runc('create', '--bundle', bundle.directory, ID).stderr).toMatch(exec)
    configure(['true'], (config) => ({
      ...config,
      mounts: [{ destination: '/x', type: 'tmpfs', source: 'tmpfs', options: ['nonsense'] }],
    }))
    expect(runc('run', '--bundle', bundle.directory, ID).stderr).toMatch(
      /runc run failed: unable to start container process: error during container init: error mounting .*invalid argument/,
    )
    expect(runc('state', ID).stderr).not.toContain('failed')
  })

  it('takes fields of config.json in other letter case', () => {
    const script = 'hostname; touch /x 2>/dev/null || echo read-only'
    configure(['sh', '-c', script], ({ hostname: _, ...config }) => {
      const written = { ...config, Hostname: 'upper', root: { path: 'rootfs', ReadOnly: true } }
      return written as RuntimeConfig
    })
    const { stdout } = runc('run', '--bundle', bundle.directory, ID)
    expect(stdout).toBe('upper\nread-only\n')
  })

  // runc since 1.2; before, it is an error, or nothing is said.
  it.skipIf(name !== 'tsrun')('warns on stderr where there is no log', () => {
    configure(['echo', 'hello'], (config) => {
      const capabilities = { ...config.process?.capabilities, ambient: ['CAP_SYS_TTY_CONFIG'] }
      return { ...config, process: { ...config.process, cwd: '/', capabilities } }
    })
    const { stdout, stderr } = runc('run', '--bundle', bundle.directory, ID)
    expect(stdout).toBe('hello\n')
    expect(stderr).toMatch(/level=warning msg=".*can't raise ambient capability CAP_SYS_TTY_CONFIG/)
  })

  it('--debug tells the steps of run, on stderr or in the log', () => {
    configure(['echo', 'hello'])
    const steps = [
      /nsexec.* container setup/,
      /child process in init\(\)/,
      /init: closing the pipe to signal completion/,
    ]
    const plain = runc('--debug', 'run', '--bundle', bundle.directory, ID)
    expect(plain).toMatchObject({ status: 0, stdout: 'hello\n' })
    const log = join(directory, 'log')
    const logged = runc('--debug', '--log', log, 'run', '--bundle', bundle.directory, ID)
    expect(logged).toEqual({ status: 0, stdout: 'hello\n', stderr: '' })
    const json = join(directory, 'log.json')
    const globals = ['--debug', '--log', json, '--log-format', 'json']
    runc(...globals, 'run', '--bundle', bundle.directory, ID)
    for (const text of [plain.stderr, readFileSync(log, 'utf8'), readFileSync(json, 'utf8')])
      for (const step of steps) expect(text).toMatch(step)
    expect(plain.stderr).toContain('level=debug')
    const levels = readFileSync(json, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).level)
    expect(levels).toContain('debug')
    for (const file of [log, json]) rmSync(file)
    expect(runc('run', '--bundle', bundle.directory, ID).stderr).toBe('')
  })

  it('--debug tells the steps of exec, and the flags of its filter', () => {
    configure(['sleep', '1000'], (config) => ({
      ...config,
      // runc 1.1 takes no flags.
      ...(name === 'tsrun' ? { linux: { ...config.linux, seccomp: FILTER } } : {}),
    }))
    try {
      const detached = start(['run', '--detach', '--bundle', bundle.directory, ID], 'ignore')
      expect(detached.status).toBe(0)
      const { status, stderr } = runc('--debug', 'exec', ID, 'true')
      expect(status).toBe(0)
      expect(stderr).toMatch(/child process in init\(\)/)
      expect(stderr).toMatch(/setns_init: about to exec/)
      if (name === 'tsrun') expect(stderr).toContain('"seccomp filter flags: 2"')
    } finally {
      runc('delete', '--force', ID)
    }
  })

  // Its input stays open: a command that waited for its end would not come back.
  it('exec -t ends when its program cannot run', () => {
    configure(['sleep', '1000'])
    try {
      start(['run', '--detach', '--bundle', bundle.directory, ID], 'ignore')
      const quiet = join(directory, `quiet-${name}`)
      spawnSync('mkfifo', [quiet])
      const command = name === 'tsrun' ? join(directory, 'runc') : 'runc'
      const words = [command, '--root', join(directory, `root-${name}`), 'exec', '-t', ID, '/etc']
      const [program, ...rest] = inCgroup2([
        'script',
        '-qec',
        `${words.join(' ')} | cat`,
        '/dev/null',
      ])
      const { signal, stdout } = spawnSync(program, rest, {
        encoding: 'utf8',
        stdio: [openSync(quiet, 'r+'), 'pipe', 'pipe'],
        timeout: 20_000,
      })
      expect(signal).toBeNull()
      expect(stdout).toMatch(/permission denied|is a directory/)
    } finally {
      runc('delete', '--force', ID)
    }
  })
})
