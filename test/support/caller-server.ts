/** A server that calls the runtime (containerd, dockerd): started, waited for, stopped, its mounts removed. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { PATIENCE } from './patience.ts'

/** Starts `command`, its output in the file `log`, and waits until `isReady`. Throws with the log's end. */
export async function startServer(
  [command, ...args]: readonly [string, ...string[]],
  log: string,
  isReady: () => boolean,
): Promise<ChildProcess> {
  const output = openSync(log, 'a')
  const server = spawn(command, args, { stdio: ['ignore', output, output] })
  closeSync(output)
  for (let i = 0; i < 600 * PATIENCE; i++) {
    if (server.exitCode !== null) break
    if (isReady()) return server
    await sleep(50)
  }
  await stopServer(server)
  throw new Error(`${args.join(' ')} did not start: ${readFileSync(log, 'utf8').slice(-2000)}`)
}

export async function stopServer(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const ended = new Promise((resolve) => server.once('exit', resolve))
  server.kill('SIGTERM')
  const timer = setTimeout(() => server.kill('SIGKILL'), 15_000)
  await ended
  clearTimeout(timer)
}

/** Unmounts, in this mount namespace, what is mounted below `directory`. */
export function unmountBelow(directory: string): void {
  const points = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${directory}/`))
  for (const point of points.reverse()) spawnSync('umount', ['-l', point])
}
