/** Debian's dockerd on directories and a socket of the test's own, with tsrun as its default runtime. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildBusyboxRootfs } from '../../rootfs-cache/build-busybox-image.mjs'
import { type CallerCommands, callerCommands } from './caller-commands.ts'
import { startServer, stopServer } from './caller-server.ts'
import { holdMountNamespace } from './mount-namespace.ts'
import { TSRUN } from './runtime.ts'

// Another `docker` may come first on the PATH.
const DOCKER = '/usr/bin/docker'

/** Runs `docker` against the server. */
export interface Dockerd extends CallerCommands, AsyncDisposable {
  readonly directory: string
  /** Stops the server and starts it again on the same directories. */
  restart(): Promise<void>
}

/**
 * Starts dockerd with its own containerd and makes the image `busybox`. `prepare` is a shell script that
 * runs before, in the mount namespace of the server.
 */
export async function startDockerd(
  flags: readonly string[] = [],
  prepare?: string,
): Promise<Dockerd> {
  const directory = mkdtempSync(join(tmpdir(), 'tsrun-docker-'))
  // A remapped root has to reach its files.
  chmodSync(directory, 0o711)
  const socket = `unix://${join(directory, 's')}`
  const docker = callerCommands([DOCKER, '-H', socket], {
    ...process.env,
    DOCKER_CONFIG: directory,
  })
  // dockerd leaves mounts to its namespace, so that is made for it.
  const namespace = await holdMountNamespace(prepare)
  const command = namespace.enter([
    'dockerd',
    `--data-root=${join(directory, 'data')}`,
    `--exec-root=${join(directory, 'exec')}`,
    `--pidfile=${join(directory, 'pid')}`,
    `--host=${socket}`,
    '--iptables=false',
    '--bridge=none',
    '--storage-driver=overlay2',
    `--add-runtime=tsrun=${TSRUN}`,
    '--default-runtime=tsrun',
    ...flags,
  ])
  const start = (): ReturnType<typeof startServer> =>
    startServer(command, join(directory, 'log'), () => docker.run(['version']).status === 0)
  let server = await start()
  const stop = async (): Promise<void> => {
    const ids = docker.run(['ps', '--all', '--quiet']).stdout.split('\n').filter(Boolean)
    if (ids.length > 0) docker.run(['rm', '--force', ...ids])
    await stopServer(server)
    namespace[Symbol.dispose]()
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    importBusybox(docker, directory)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    ...docker,
    directory,
    async restart() {
      await stopServer(server)
      server = await start()
    },
    [Symbol.asyncDispose]: stop,
  }
}

// dockerd 20.10 does not load OCI archives.
function importBusybox(docker: CallerCommands, directory: string): void {
  const [root, archive] = [join(directory, 'busybox'), join(directory, 'busybox.tar')]
  buildBusyboxRootfs(root)
  const { status, stderr } = spawnSync('tar', ['-C', root, '-cf', archive, '.'])
  if (status !== 0) throw new Error(`tar: ${stderr}`)
  docker.succeed(['import', '--change=CMD ["sh"]', archive, 'busybox'])
}
