/** A containerd of the test's own: private root, state and socket, stopped and removed with the test. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CallerCommands, callerCommands } from './caller-commands.ts'
import { startServer, stopServer, unmountBelow } from './caller-server.ts'
import { inCgroup2 } from './cgroup2.ts'

/** Runs `ctr` against a containerd. */
export interface Containerd extends CallerCommands, AsyncDisposable {
  readonly directory: string
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
  const ctr = callerCommands(['ctr', '-a', socket])
  const stop = async (): Promise<void> => {
    // Their shims outlive the server.
    for (const id of ctr.run(['task', 'ls', '--quiet']).stdout.split('\n').filter(Boolean))
      ctr.run(['task', 'delete', '--force', id])
    await stopServer(server)
    unmountBelow(directory)
    rmSync(directory, { recursive: true, force: true })
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
