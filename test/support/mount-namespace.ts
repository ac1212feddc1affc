/** A mount namespace of the test's own that outlives one command: what a server mounts stays in it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { inCgroup2 } from './cgroup2.ts'

export interface MountNamespace extends Disposable {
  /** `argv` as a command inside; it starts in `/`. */
  enter(argv: readonly string[]): readonly [string, ...string[]]
}

/**
 * A namespace with cgroup2 alone on /sys/fs/cgroup, and with what the shell script `prepare` mounts. It
 * goes away with the test process, too.
 */
export async function holdMountNamespace(prepare = ''): Promise<MountNamespace> {
  // Ends with its standard input, which is ours.
  const [command, ...args] = inCgroup2(['sh', '-ec', `${prepare}\necho ready; exec cat`])
  const holder = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const [line] = await Promise.race([once(holder.stdout, 'data'), once(holder, 'exit')])
  if (String(line) !== 'ready\n') throw new Error(`cannot make a mount namespace: ${String(line)}`)
  return {
    enter: (argv) => ['nsenter', `--mount=/proc/${holder.pid}/ns/mnt`, '--', ...argv],
    [Symbol.dispose]() {
      holder.kill('SIGKILL')
    },
  }
}
