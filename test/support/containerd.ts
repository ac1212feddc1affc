/** A containerd of the test's own: private root, state and socket, stopped and removed with the test. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { inCgroup2 } from './cgroup2.ts'
import { shellWord } from './shell-word.ts'

export interface CtrResult {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Containerd extends AsyncDisposable {
  readonly directory: string
  /** Runs `ctr` against this containerd. */
  ctr(args: readonly string[], input?: string): CtrResult
  /** Runs `ctr` on a pseudo-terminal; the result is all that it printed. */
  ctrOnTerminal(args: readonly string[]): string
}

/** Starts containerd and imports the image archive. */
export async function startContainerd(archive: string): Promise<Containerd> {
  const directory = mkdtempSync(join(tmpdir(), 'tsrun-ctrd-'))
  const socket = join(directory, 's')
  writeFileSync(join(directory, 'config.toml'), configFor(directory, socket))
  const [command, ...args] = inCgroup2(['containerd', '-c', join(directory, 'config.toml')])
  const server = spawn(command, args, { stdio: 'ignore' })
  const ctr = (ctrArgs: readonly string[], input?: string): CtrResult => {
    const { status, stdout, stderr } = spawnSync('ctr', ['-a', socket, ...ctrArgs], {
      encoding: 'utf8',
      timeout: 60_000,
      killSignal: 'SIGKILL',
      ...(input === undefined ? {} : { input }),
    })
    return { status, stdout, stderr }
  }
  const stop = async (): Promise<void> => {
    await stopServer(server)
    unmountBelow(directory)
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    await waitForSocket(socket, server)
    const imported = ctr(['image', 'import', archive])
    if (imported.status !== 0) throw new Error(`ctr image import: ${imported.stderr}`)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    directory,
    ctr,
    ctrOnTerminal(ctrArgs) {
      const line = ['ctr', '-a', socket, ...ctrArgs].map(shellWord).join(' ')
      return spawnSync('script', ['-qec', line, '/dev/null'], { encoding: 'utf8', timeout: 60_000 })
        .stdout
    },
    [Symbol.asyncDispose]: stop,
  }
}

function configFor(directory: string, socket: string): string {
  return `version = 2
root = "${join(directory, 'root')}"
state = "${join(directory, 'state')}"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs"]
[grpc]
  address = "${socket}"
[ttrpc]
  address = "${socket}.ttrpc"
`
}

async function waitForSocket(socket: string, server: ChildProcess): Promise<void> {
  for (let i = 0; i < 300; i++) {
    if (server.exitCode !== null) throw new Error(`containerd ended with status ${server.exitCode}`)
    if (existsSync(socket) && spawnSync('ctr', ['-a', socket, 'version']).status === 0) return
    await sleep(100)
  }
  throw new Error('containerd did not start')
}

async function stopServer(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const ended = new Promise((resolve) => server.once('exit', resolve))
  server.kill('SIGTERM')
  const timer = setTimeout(() => server.kill('SIGKILL'), 10_000)
  await ended
  clearTimeout(timer)
}

function unmountBelow(directory: string): void {
  const points = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${directory}/`))
  for (const point of points.reverse()) spawnSync('umount', ['-l', point])
}
