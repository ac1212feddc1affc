/** tsrun as the runtime of Debian's containerd, through its runc shim: run, attach, exec, kill, delete. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildBusyboxImage } from '../../rootfs-cache/build-busybox-image.mjs'
import { type FlagCase, namespacesOf, printNamespaces } from '../support/caller-cases.ts'
import type { CallerResult } from '../support/caller-commands.ts'
import { type Containerd, startContainerd } from '../support/containerd.ts'
import { missing } from '../support/requires.ts'
import { TSRUN } from '../support/runtime.ts'
import { until } from '../support/until.ts'

// As containerd 1.6 and 1.7 print it.
const EXEC_E1 = /ExecID:e1|exec_id:"e1"/
const IMAGE = 'docker.io/library/busybox:latest'

// What ctr makes of flags, and what the process then sees. Several in one container: each takes a second.
const FLAGS: readonly FlagCase[] = [
  {
    title: 'a directory, a variable, fewer capabilities, seccomp',
    flags: [
      '--cwd=/tmp',
      '--env=A=b',
      '--cap-drop=CAP_CHOWN',
      '--cap-add=CAP_SYS_PTRACE',
      '--seccomp',
    ],
    script: 'echo $A $PWD; grep -E "CapBnd|NoNew|Seccomp:" /proc/self/status',
    prints: 'b /tmp\nCapBnd:\t00000000a80c25fa\nNoNewPrivs:\t1\nSeccomp:\t2',
  },
  {
    title: "the host's network, no new root, a read-only one, a bind mount",
    flags: [
      '--net-host',
      '--no-pivot',
      '--read-only',
      '--mount=type=bind,src=/etc,dst=/host,options=rbind:ro',
    ],
    script: `${printNamespaces(['net'])}; touch /x /host/x 2>/dev/null || echo read-only; ls -d /host/passwd`,
    prints: `${namespacesOf('self', ['net'])}\nread-only\n/host/passwd`,
  },
]

describe.skipIf(missing('root', 'cgroup2', 'command:containerd')).each([
  ['tsrun', TSRUN],
  // The oracle: the same cases must hold for the peer.
  ['runc', '/usr/sbin/runc'],
])('containerd with %s', (name, runtime) => {
  let containerd: Containerd
  const run = (id: string, flags: readonly string[], ...command: readonly string[]): CallerResult =>
    containerd.run([
      'run',
      '--runc-binary',
      runtime,
      '--cpu-shares',
      '0',
      ...flags,
      IMAGE,
      `${name}-${id}`,
      ...command,
    ])
  const task = (...args: readonly string[]): CallerResult => containerd.run(['task', ...args])
  const statusOf = (id: string): string =>
    task('ls')
      .stdout.split('\n')
      .find((line) => line.startsWith(`${name}-${id} `))
      ?.trim()
      .split(/\s+/)
      .at(-1) ?? 'none'
  const untilStopped = (id: string): Promise<void> =>
    until('the task stops', () => statusOf(id) === 'STOPPED')
  const start = (id: string, ...flags: readonly string[]): string => {
    expect(run(id, ['--detach', ...flags], 'sleep', '1000')).toMatchObject({
      status: 0,
      stderr: '',
    })
    return `${name}-${id}`
  }
  const remove = (id: string): void => {
    task('delete', '--force', id)
    expect(containerd.run(['container', 'rm', id])).toMatchObject({ status: 0 })
  }
  const stateOf = (): readonly string[] =>
    existsSync(containerd.runtimeRoot) ? readdirSync(containerd.runtimeRoot) : []

  beforeAll(async () => {
    containerd = await startContainerd(await buildBusyboxImage())
  })

  afterAll(async () => {
    await containerd?.[Symbol.asyncDispose]()
  })

  test('runs a container in the foreground and passes its output on', () => {
    const result = run('fg', ['--rm'], 'sh', '-c', 'echo out; echo err >&2')
    expect(result.stdout).toBe('out\n')
    expect(result.stderr).toBe('err\n')
    expect(result.status).toBe(0)
  })

  test('passes the exit status on', () => {
    expect(run('status', ['--rm'], 'sh', '-c', 'exit 7').status).toBe(7)
  })

  test('gives the process a terminal', () => {
    const printed = containerd.onTerminal([
      'run',
      '--rm',
      '-t',
      '--runc-binary',
      runtime,
      '--cpu-shares',
      '0',
      IMAGE,
      `${name}-tty`,
      'tty',
    ])
    expect(printed).toContain('/dev/pts/0')
  })

  test('reads standard input', () => {
    // One line, not to the end: ctr 1.6 does not pass the end of file on, whatever the runtime.
    const command = ['sh', '-c', 'read line; echo "got $line"']
    const args = [
      'run',
      '--rm',
      '--runc-binary',
      runtime,
      '--cpu-shares',
      '0',
      IMAGE,
      `${name}-stdin`,
      ...command,
    ]
    expect(containerd.run(args, 'hello stdin\n').stdout).toBe('got hello stdin\n')
  })

  test('says which program is missing, and leaves no task', () => {
    const result = run('missing', ['--rm'], '/nonexistent-command')
    expect(result.status).not.toBe(0)
    expect(result.stderr).toContain(
      'exec: "/nonexistent-command": stat /nonexistent-command: no such file or directory',
    )
    expect(statusOf('missing')).toBe('none')
  })

  test('a detached container: exec, ps, pause, resume, kill, delete', async () => {
    expect(run('life', ['-d'], 'sleep', '1000').status).toBe(0)
    expect(statusOf('life')).toBe('RUNNING')
    const id = `${name}-life`
    expect(task('exec', '--exec-id', 'e1', id, 'echo', 'in-exec').stdout).toBe('in-exec\n')
    expect(task('exec', '--exec-id', 'e2', id, 'sh', '-c', 'exit 9').status).toBe(9)
    expect(task('exec', '--exec-id', 'e3', id, '/missing').stderr).toContain(
      'stat /missing: no such file or directory',
    )
    expect(containerd.onTerminal(['task', 'exec', '-t', '--exec-id', 'e4', id, 'tty'])).toContain(
      '/dev/pts/',
    )
    expect(task('ps', id).stdout.trim().split('\n')).toHaveLength(2)
    expect(task('pause', id).status).toBe(0)
    expect(statusOf('life')).toBe('PAUSED')
    expect(task('resume', id).status).toBe(0)
    expect(statusOf('life')).toBe('RUNNING')
    expect(task('kill', '-s', 'SIGKILL', id).status).toBe(0)
    await untilStopped('life')
    expect(task('kill', '-s', 'SIGKILL', id).stderr).toMatch(/process already finished|not found/)
    task('rm', id)
    expect(containerd.run(['container', 'rm', id]).status).toBe(0)
    expect(statusOf('life')).toBe('none')
  })

  test('a running container is removed by force', () => {
    expect(run('force', ['-d'], 'sleep', '1000').status).toBe(0)
    task('rm', '-f', `${name}-force`)
    expect(statusOf('force')).toBe('none')
    expect(containerd.run(['container', 'rm', `${name}-force`]).status).toBe(0)
  })

  test.each(FLAGS)('run with $title', ({ flags, script, prints }) => {
    const { status, stdout, stderr } = run('flags', ['--rm', ...flags], 'sh', '-c', script)
    expect({ status, stderr, stdout: stdout.trimEnd() }).toEqual({
      status: 0,
      stderr: '',
      stdout: prints,
    })
  })

  test('a task beside the network namespace of another', () => {
    const id = start('net')
    const pid = task('ps', id).stdout.split('\n')[1]?.split(/\s+/)[0] ?? ''
    const flag = `--with-ns=network:/proc/${pid}/ns/net`
    const joined = run('joins', ['--rm', flag], 'sh', '-c', printNamespaces(['net']))
    expect(joined.stdout.trimEnd()).toBe(namespacesOf(pid, ['net']))
    remove(id)
  })

  test('metrics, an exec that is ended alone, and all processes at once', async () => {
    const id = start('metrics', '--null-io')
    const metrics = JSON.parse(task('metrics', '--format=json', id).stdout)
    expect(Object.keys(metrics)).toEqual(expect.arrayContaining(['pids', 'cpu', 'memory', 'io']))
    task('exec', '--exec-id=e1', '--detach', id, 'sleep', '900')
    expect(task('ps', id).stdout).toMatch(EXEC_E1)
    expect(task('kill', '--exec-id=e1', '--signal=SIGKILL', id).status).toBe(0)
    await until('the exec ends', () => !EXEC_E1.test(task('ps', id).stdout))
    expect(statusOf('metrics')).toBe('RUNNING')
    expect(task('kill', '--all', '--signal=SIGTERM', id).status).toBe(0)
    expect(task('kill', '--all', '--signal=SIGKILL', id).status).toBe(0)
    await untilStopped('metrics')
    remove(id)
  })

  test('output to a file', async () => {
    const log = join(containerd.directory, 'output')
    // The shim may lose the output of a process that ends at once, whatever the runtime.
    const script = 'echo out; echo err >&2; exec sleep 1000'
    run('log', ['--detach', `--log-uri=file://${log}`], 'sh', '-c', script)
    const lines = (): readonly string[] => readFileSync(log, 'utf8').split('\n').sort()
    await until('both lines are there', () => lines().join(' ') === ' err out')
    remove(`${name}-log`)
  })

  test('two containers in one shim', () => {
    const group = `--annotation=io.containerd.runc.v2.group=${name}-group`
    const [first, second] = [start('one', group), start('two', group)]
    expect(containerd.shimsOf(first)).toHaveLength(1)
    expect(containerd.shimsOf(second)).toEqual([])
    remove(first)
    expect(task('exec', '--exec-id=e1', second, 'echo', 'alive').stdout).toBe('alive\n')
    remove(second)
  })

  test('many at once', async () => {
    const ids = Array.from({ length: 8 }, (_, i) => `${name}-many-${i}`)
    const flags = ['--rm', '--runc-binary', runtime, '--cpu-shares=0']
    const results = await Promise.all(
      ids.map((id) => containerd.start(['run', ...flags, IMAGE, id, 'echo', id])),
    )
    expect(results.map(({ stdout }) => stdout.trimEnd())).toEqual(ids)
  })

  test('a task whose shim was killed', async () => {
    const id = start('shim')
    const pid = task('ps', id).stdout.split('\n')[1]?.split(/\s+/)[0] ?? ''
    for (const shim of containerd.shimsOf(id)) process.kill(shim, 'SIGKILL')
    await until('the process has gone', () => !existsSync(`/proc/${pid}/ns/pid`))
    await until('the task has gone', () =>
      ['none', 'UNKNOWN', 'STOPPED'].includes(statusOf('shim')),
    )
    await until('the state has gone', () => !stateOf().includes(id))
    remove(id)
  })

  test('a task that outlives the server', async () => {
    const id = start('outlives')
    await containerd.restart()
    expect(statusOf('outlives')).toBe('RUNNING')
    expect(task('exec', '--exec-id=e1', id, 'echo', 'still').stdout).toBe('still\n')
    remove(id)
  })

  test.runIf(name === 'tsrun')('takes the CPU shares that ctr asks for by itself', () => {
    const args = ['run', '--rm', '--runc-binary', runtime, IMAGE, `${name}-shares`, 'echo', 'hi']
    expect(containerd.run(args)).toMatchObject({ status: 0, stdout: 'hi\n' })
  })

  test('leaves no runtime state behind', () => {
    expect(stateOf()).toEqual([])
  })
})
