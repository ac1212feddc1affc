/** Programs that cannot outlive this process, nor leave a mount or a process of theirs. */
import { spawn, spawnSync } from 'node:child_process'
import { CannotRun } from './cannot-run.mjs'

// The kernel kills the first when we die, however we die, and then the namespace's init and all in it.
const ALONE = ['setpriv', '--pdeathsig', 'KILL', 'unshare', '--kill-child', '--fork', '--pid']
const MOUNTS = ['--mount', '--mount-proc', '--propagation', 'private']

/** Throws where {@link startContained} cannot work. */
export function checkContained() {
  if (process.geteuid() !== 0) throw new CannotRun('only root can make it')
  const [command, ...args] = [...ALONE, ...MOUNTS, 'true']
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0)
    throw new CannotRun(`no new namespaces here: ${error?.message ?? stderr.trim()}`)
}

/**
 * Starts `argv` in PID and mount namespaces of its own, and out of reach of the terminal's signals.
 * `ended` resolves with its exit status, null when `kill` ended it.
 */
export function startContained(argv, options) {
  const [command, ...args] = [...ALONE, ...MOUNTS, ...argv]
  const child = spawn(command, args, { ...options, detached: true })
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', resolve)
  })
  return { ended, kill: () => child.kill('SIGKILL') }
}

/** Runs `argv` so until it ends, `milliseconds` pass or `signal` aborts; resolves with its exit status or null. */
export async function runContained(argv, { milliseconds, signal, ...options }) {
  signal.throwIfAborted()
  const { ended, kill } = startContained(argv, options)
  const timer = setTimeout(kill, milliseconds)
  signal.addEventListener('abort', kill)
  try {
    return await ended
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', kill)
    signal.throwIfAborted()
  }
}
