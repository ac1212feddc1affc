/** A network namespace of the test's own, which stands for a host's or an orchestrator's. */
import { type SpawnSyncOptions, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

export interface NetworkNamespace extends Disposable {
  /** The file of the namespace, there as long as this is not disposed. */
  readonly path: string
  /** Runs a command inside; throws unless it succeeds. The result is standard output. */
  succeed(argv: readonly string[], options?: SpawnSyncOptions): string
}

/** A namespace in which the shell script `prepare` has run. It goes away with the test process, too. */
export async function holdNetwork(prepare = ''): Promise<NetworkNamespace> {
  // Ends with its standard input, which is ours.
  const script = `${prepare}\necho ready; exec cat`
  const holder = spawn('unshare', ['-n', 'sh', '-ec', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const [line] = await Promise.race([once(holder.stdout, 'data'), once(holder, 'exit')])
  if (String(line) !== 'ready\n') throw new Error(`cannot make a network: ${String(line)}`)
  const path = `/proc/${holder.pid}/ns/net`
  return {
    path,
    succeed(argv, options = {}) {
      const { status, stdout, stderr } = spawnSync('nsenter', [`--net=${path}`, '--', ...argv], {
        encoding: 'utf8',
        ...options,
      })
      if (status !== 0) throw new Error(`${argv.join(' ')}: ${status}: ${String(stderr)}`)
      return String(stdout)
    },
    [Symbol.dispose]() {
      holder.kill('SIGKILL')
    },
  }
}
