/** tsrun as the runtime of Debian's containerd, through its runc shim: run, attach, exec, kill, delete. */
import { existsSync, readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildBusyboxImage } from '../../rootfs-cache/build-busybox-image.mjs'
import type { CallerResult } from '../support/caller-commands.ts'
import { type Containerd, startContainerd } from '../support/containerd.ts'

const TSRUN = resolve('dist/tsrun')
const IMAGE = 'docker.io/library/busybox:latest'

describe.each([
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
  const untilStopped = async (id: string): Promise<void> => {
    for (let i = 0; i < 100 && statusOf(id) !== 'STOPPED'; i++) await sleep(50)
    expect(statusOf(id)).toBe('STOPPED')
  }

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

  test('leaves no runtime state behind', () => {
    const root = `/run/containerd/runc/default`
    const left = existsSync(root) ? readdirSync(root).filter((id) => id.startsWith(`${name}-`)) : []
    expect(left).toEqual([])
  })
})
