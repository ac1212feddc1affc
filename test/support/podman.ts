/** Debian's podman on directories of the test's own, with tsrun or a peer as its runtime. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildBusyboxImage } from '../../rootfs-cache/build-busybox-image.mjs'
import { type CallerCommands, callerCommands } from './caller-commands.ts'
import { holdMountNamespace } from './mount-namespace.ts'
import { type RuntimeName, TSRUN } from './runtime.ts'

export interface Podman extends CallerCommands, AsyncDisposable {
  readonly directory: string
}

/**
 * What a machine needs for `podman --runtime tsrun`, as docs/compatibility.md says; the other lines take
 * out what podman asks for by itself and this machine may not have: raised rlimits and a pids controller.
 */
const CONTAINERS_CONF = `[containers]
default_ulimits = []
pids_limit = 0

[engine]
runtime_supports_json = ["crun", "runc", "kata", "runsc", "krun", "tsrun"]
runtime_supports_nocgroup = ["crun", "krun", "tsrun"]

[engine.runtimes]
tsrun = [${JSON.stringify(TSRUN)}]
`

/** Makes the directories and loads the busybox image. */
export async function startPodman(
  runtime: RuntimeName,
  cgroupManager: 'cgroupfs' | 'systemd' = 'cgroupfs',
): Promise<Podman> {
  const directory = mkdtempSync(join(tmpdir(), 'tsrun-podman-'))
  // The root of a user namespace has to reach its files.
  chmodSync(directory, 0o711)
  const namespace = await holdMountNamespace()
  const configuration = join(directory, 'containers.conf')
  writeFileSync(configuration, CONTAINERS_CONF)
  const env = { ...process.env, CONTAINERS_CONF: configuration, TMPDIR: directory }
  const command = namespace.enter([
    'podman',
    `--root=${join(directory, 'root')}`,
    `--runroot=${join(directory, 'run')}`,
    `--tmpdir=${join(directory, 'tmp')}`,
    `--volumepath=${join(directory, 'volumes')}`,
    `--cgroup-manager=${cgroupManager}`,
    '--events-backend=file',
    '--storage-driver=overlay',
    `--runtime=${runtime}`,
  ])
  const commands = callerCommands(command, env)
  const stop = async (): Promise<void> => {
    commands.run(['pod', 'rm', '--all', '--force', '--time=0'])
    commands.run(['rm', '--all', '--force', '--time=0'])
    namespace[Symbol.dispose]()
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    commands.succeed(['load', '--quiet', '--input', await buildBusyboxImage()])
  } catch (error) {
    await stop()
    throw error
  }
  return { ...commands, directory, [Symbol.asyncDispose]: stop }
}
