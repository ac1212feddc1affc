/** Cases that hold for podman and for docker. */
import { execFileSync } from 'node:child_process'
import { readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { CallerCommands } from './caller-commands.ts'

/** Namespaces that containers may share with the host. */
export const SHARED_NAMESPACES = ['net', 'ipc', 'uts', 'pid', 'cgroup']

/** What a caller makes of flags, and what the process then sees. */
export interface FlagCase {
  readonly title: string
  readonly flags: readonly string[]
  readonly script: string
  readonly prints: string
}

/** A command that cannot be started, the exit status of `run`, and what the message says. */
export const WRONG_COMMANDS = [
  { command: '/nonexistent', status: 127, says: 'stat /nonexistent: no such file or directory' },
  { command: 'nonexistent', status: 127, says: 'executable file not found in $PATH' },
  { command: '/etc/passwd', status: 126, says: 'exec: "/etc/passwd": permission denied' },
] as const

/** Runs until it is killed, with an answer to SIGUSR1 and its own status for SIGTERM. */
export const ANSWERS_SIGNALS =
  'trap "echo usr1" USR1; trap "exit 3" TERM; echo up; while :; do sleep 0.05; done'

/** A script that prints what {@link namespacesOf} tells of the process that runs it. */
export function printNamespaces(names: readonly string[]): string {
  return `for i in ${names.join(' ')}; do readlink /proc/self/ns/$i; done`
}

/** The namespaces of a process of the host, a line each. */
export function namespacesOf(pid: string, names: readonly string[]): string {
  return names.map((name) => readlinkSync(`/proc/${pid}/ns/${name}`)).join('\n')
}

/** What `exec` in the running container `name` does: statuses, options, a terminal, input, a daemon. */
export function expectExecs(caller: CallerCommands, name: string): void {
  expect(caller.run(['exec', name, 'sh', '-c', 'echo in; exit 9'])).toMatchObject({
    status: 9,
    stdout: 'in\n',
  })
  const flags = ['--env=A=b', '--workdir=/tmp', '--user=1:2']
  const sees = ['sh', '-c', 'echo $A $PWD; id -u; id -g']
  expect(caller.succeed(['exec', ...flags, name, ...sees])).toBe('b /tmp\n1\n2')
  expect(caller.onTerminal(['exec', '--tty', name, 'tty'])).toContain('/dev/pts/')
  expect(caller.succeed(['exec', '--interactive', name, 'cat'], 'typed\n')).toBe('typed')
  expect(caller.run(['exec', name, '/etc/passwd']).status).toBe(126)
  caller.succeed(['exec', '--detach', name, 'sleep', '1000'])
}

/** A container with a device that it may only read; `run` is the caller's words before the flag. */
export function expectReadOnlyDevice(
  caller: CallerCommands & { readonly directory: string },
  run: readonly string[],
): void {
  // No driver has this number: what open(2) says then tells who refused.
  const device = join(caller.directory, 'unclaimed')
  execFileSync('mknod', [device, 'c', '240', '250'])
  const script = 'cat /dev/unclaimed; : > /dev/unclaimed'
  const flag = `--device=${device}:/dev/unclaimed:r`
  const { stderr } = caller.run([...run, flag, 'busybox', 'sh', '-c', script])
  execFileSync('rm', [device])
  expect(stderr).toMatch(/No such device or address\n.*Operation not permitted\n$/)
}
