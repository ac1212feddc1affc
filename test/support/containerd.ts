/** A containerd of the test's own: private root, state and socket, stopped and removed with the test. */
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { detectCgroups } from '../../src/cgroup/detect.ts'
import { type CallerCommands, callerCommands } from './caller-commands.ts'
import { startServer, stopServer, unmountBelow } from './caller-server.ts'
import { inCgroup2 } from './cgroup2.ts'

/** Runs `ctr` against a containerd. */
export interface Containerd extends CallerCommands, AsyncDisposable {
  readonly directory: string
  /** The processes of the runc shim that was started for this container. */
  shimsOf(id: string): readonly number[]
  /** Where the runtime keeps what it knows of this containerd's containers. */
  readonly runtimeRoot: string
  /** Stops the server and starts it again on the same directories. */
  restart(): Promise<void>
}

/** Starts containerd and imports the image archive. */
export async function startContainerd(archive: string): Promise<Containerd> {
  const directory = mkdtempSync(join(tmpdir(), 'tsrun-ctrd-'))
  const socket = join(directory, 's')
  const config = join(directory, 'config.toml')
  writeFileSync(config, configFor(directory, socket))
  const isReady = (): boolean =>
    existsSync(socket) && spawnSync('ctr', ['-a', socket, 'version']).status === 0
  const command = inCgroup2(['containerd', '-c', config])
  const start = (): ReturnType<typeof startServer> =>
    startServer(command, join(directory, 'log'), isReady)
  let server = await start()
  // Another run of the same tests has containers of the same names.
  const namespace = basename(directory)
  const runtimeRoot = join('/run/containerd/runc', namespace)
  const ctr = callerCommands(['ctr', '-a', socket, '-n', namespace])
  const stop = async (): Promise<void> => {
    // Their shims outlive the server.
    for (const id of ctr.run(['task', 'ls', '--quiet']).stdout.split('\n').filter(Boolean))
      ctr.run(['task', 'delete', '--force', id])
    await stopServer(server)
    unmountBelow(directory)
    for (const path of [directory, runtimeRoot]) rmSync(path, { recursive: true, force: true })
    const cgroup = join(detectCgroups()?.mountPoint ?? '', namespace)
    if (existsSync(cgroup)) rmdirSync(cgroup)
  }
  try {
    ctr.succeed(['image', 'import', archive])
  } catch (error) {
    await stop()
    throw error
  }
  return {
    ...ctr,
    directory,
    runtimeRoot,
    shimsOf: (id) => processesWith(`\0-namespace\0${namespace}\0-id\0${id}\0`),
    async restart() {
      await stopServer(server)
      server = await start()
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

function processesWith(words: string): readonly number[] {
  const has = (pid: string): boolean => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(words)
    } catch {
      // Ended while we looked, ignoring.
      return false
    }
  }
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && has(entry))
    .map(Number)
}
