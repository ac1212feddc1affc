/** `tsrun run` and the other commands of the engine as an ordinary user, with subordinate ids and without. */
import { spawn } from 'node:child_process'
import { copyFileSync, existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildBusyboxImage } from '../../rootfs-cache/build-busybox-image.mjs'
import {
  makeOrdinaryUser,
  type OrdinaryUser,
  SUBORDINATE,
  USER_ID,
  type UserOptions,
} from '../support/ordinary-user.ts'
import { Terminal } from '../support/pty.ts'
import { missing } from '../support/requires.ts'
import { TSRUN } from '../support/runtime.ts'
import { until } from '../support/until.ts'

const SINGLE: UserOptions = { subordinate: '' }

let user: OrdinaryUser

const tsrun = (...args: readonly string[]): readonly string[] => [user.tsrun, ...args]

function succeed(args: readonly string[], options?: UserOptions): string {
  return user.succeed(tsrun(...args), options)
}

describe.skipIf(missing('root', 'userns', 'command:newuidmap'))('the engine without root', () => {
  beforeAll(async () => {
    user = makeOrdinaryUser()
    const archive = join(user.directory, 'busybox.tar')
    copyFileSync(await buildBusyboxImage(), archive)
    expect(succeed(['load', '-i', archive])).toContain('Loaded image: busybox:latest')
  })

  afterAll(() => {
    user?.[Symbol.dispose]()
  })

  it('keeps images in the user’s home, and runs them as root of a user namespace', () => {
    expect(succeed(['images', '-q'])).toMatch(/^[0-9a-f]{12}\n$/)
    expect(existsSync(join(user.directory, 'home/.local/share/tsrun/images'))).toBe(true)
    const script = 'id -u; id -G; cat /proc/self/uid_map; touch /f; chown 7:8 /f; stat -c %u:%g /f'
    const words = succeed(['run', '--rm', 'busybox', 'sh', '-c', script]).split(/\s+/)
    const map = ['0', USER_ID, 1, 1, SUBORDINATE.start, SUBORDINATE.count].map(String)
    expect(words).toEqual(['0', '0', '10', ...map, '7:8', ''])
    expect(succeed(['run', '--rm', '--user', '5:6', 'busybox', 'id'])).toBe(
      'uid=5 gid=6 groups=6\n',
    )
  })

  it('leads a detached container of another id through its life', async () => {
    succeed([
      'run',
      '-d',
      '--name',
      'web',
      '--user',
      '5',
      'busybox',
      'sh',
      '-c',
      'echo up; exec sleep 1000',
    ])
    await until('the log is there', () => succeed(['logs', 'web']) === 'up\n')
    expect(succeed(['ps', '--format', '{{.Names}} {{.Status}}'])).toMatch(/^web Up /)
    expect(succeed(['exec', 'web', 'id', '-u'])).toBe('5\n')
    expect(succeed(['exec', '-u', '0', 'web', 'id', '-u'])).toBe('0\n')
    expect(succeed(['top', 'web'])).toContain('sleep 1000')
    const refused = user.run(tsrun('rm', 'web'))
    expect(refused.stderr).toContain('cannot remove container "web": it is running')
    succeed(['stop', '-t', '0', 'web'])
    succeed(['start', 'web'])
    succeed(['restart', '-t', '0', 'web'])
    expect(succeed(['exec', 'web', 'id', '-u'])).toBe('5\n')
    succeed(['rm', '-f', 'web'])
    expect(succeed(['ps', '-aq'])).toBe('')
    const data = join(user.directory, 'home/.local/share/tsrun')
    expect(readdirSync(join(data, 'snapshots/active'))).toEqual([])
  })

  it('shares the host’s network, and folders with the user', () => {
    const folder = join(user.directory, 'home')
    const script = 'ls /sys/class/net; echo x > /v/file'
    const args = ['run', '--rm', '--network', 'host', '-v', `${folder}:/v`, 'busybox']
    expect(succeed([...args, 'sh', '-c', script])).toContain('lo\n')
    expect(statSync(join(folder, 'file'))).toMatchObject({ uid: USER_ID, gid: USER_ID })
  })

  it('passes exit codes on, and what is wrong with a limit', () => {
    expect(user.run(tsrun('run', '--rm', 'busybox', 'sh', '-c', 'exit 7')).status).toBe(7)
    expect(user.run(tsrun('run', '--rm', 'busybox', 'nothing')).status).toBe(127)
    const { status, stderr } = user.run(tsrun('run', '--rm', '-m', '64m', 'busybox', 'true'))
    expect(status).toBe(125)
    expect(stderr).toMatch(/cannot create the cgroup .*Delegate=yes/)
  })

  it('gives a terminal', async () => {
    const script = 'tty; trap "echo caught" INT; while read line; do echo "got $line"; done'
    const words = user.commandLine(tsrun('run', '--rm', '-it', 'busybox', 'sh', '-c', script))
    const terminal = new Terminal(['/usr/bin/env', ...words])
    await terminal.shows('/dev/pts/0')
    terminal.type('words\r')
    await terminal.shows('got words')
    terminal.type('\u0004')
    expect(await terminal.end()).toBe(0)
  })

  it('hands signals on to the container', async () => {
    const script = 'trap "exit 3" INT; echo ready; while :; do sleep 0.1; done'
    const words = user.commandLine(tsrun('run', '--rm', 'busybox', 'sh', '-c', script))
    const [command, ...rest] = words
    const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = new Promise((resolve) => child.once('close', resolve))
    await new Promise((resolve) => child.stdout.once('data', resolve))
    child.kill('SIGINT')
    expect(await ended).toBe(3)
  })

  const library = join(dirname(TSRUN), 'index.js')
  it.skipIf(!existsSync(library))('serves programs with the library, started by unshare', () => {
    const program = `import { run } from '${user.directory}/dist/index.js'
      const { stdout, exitCode } = await run({ image: 'busybox', args: ['sh', '-c', 'id -u; exit 4'], user: '5' })
      console.log(stdout.trim(), exitCode)`
    const node = [`${user.directory}/node`, '--input-type=module', '-e', program]
    expect(succeed(['unshare', ...node])).toBe('5 4\n')
    const refused = user.run(node)
    expect(refused.stderr).toContain('start the program with tsrun unshare')
  })

  it('runs with the user’s own id alone, and says what more ids are for', () => {
    expect(succeed(['run', '--rm', 'busybox', 'id'], SINGLE)).toBe('uid=0(root) gid=0(root)\n')
    const other = user.run(tsrun('run', '--rm', '--user', '5', 'busybox', 'id'), SINGLE)
    expect(other.stderr).toContain('does not map this uid')
    const group = user.run(tsrun('run', '--rm', '--group-add', '7', 'busybox', 'id'), SINGLE)
    expect(group.stderr).toContain('usermod --add-subgids')
  })

  it('wants to know where images and state are to be', () => {
    const env = { HOME: '', XDG_RUNTIME_DIR: '' }
    expect(user.run(tsrun('ps'), { env }).stderr).toContain('neither XDG_DATA_HOME nor HOME is set')
    const noState = user.run(tsrun('ps'), { env: { XDG_RUNTIME_DIR: '' } })
    expect(noState.stderr).toContain('XDG_RUNTIME_DIR is not set')
    expect(user.succeed(tsrun('version'), { env })).toContain('0.1')
  })

  it('refuses a data root of root’s', () => {
    const words = tsrun('--data-root', '/var/lib', '--state-root', user.runtimeDirectory, 'ps')
    expect(user.run(words).stderr).toContain('cannot keep images in /var/lib')
  })
})
