/** Debian's podman on directories of the test's own, with tsrun or a peer as its runtime. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildBusyboxImage } from '../../rootfs-cache/build-busybox-image.mjs'
import { holdMountNamespace } from './mount-namespace.ts'
import { type RuntimeName, TSRUN } from './runtime.ts'
import { shellWord } from './shell-word.ts'

export interface PodmanResult {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Podman extends AsyncDisposable {
  readonly directory: string
  /** Runs `podman <args>` and waits. */
  run(args: readonly string[], input?: string): PodmanResult
  /** As {@link run}, throws unless it succeeds; the result is stdout without its last newline. */
  succeed(args: readonly string[], input?: string): string
  /** Runs it without waiting; resolves when it has ended. */
  start(args: readonly string[]): Promise<PodmanResult>
  /** Runs it on a pseudo-terminal; the result is all that it printed. */
  onTerminal(args: readonly string[]): string
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
export async function startPodman(runtime: RuntimeName): Promise<Podman> {
  const directory = mkdtempSync(join(tmpdir(), 'tsrun-podman-'))
  const namespace = await holdMountNamespace()
  const configuration = join(directory, 'containers.conf')
  writeFileSync(configuration, CONTAINERS_CONF)
  const env = { ...process.env, CONTAINERS_CONF: configuration, TMPDIR: directory }
  const [command, ...head] = namespace.enter([
    'podman',
    `--root=${join(directory, 'root')}`,
    `--runroot=${join(directory, 'run')}`,
    `--tmpdir=${join(directory, 'tmp')}`,
    `--volumepath=${join(directory, 'volumes')}`,
    '--cgroup-manager=cgroupfs',
    '--events-backend=file',
    '--storage-driver=overlay',
    `--runtime=${runtime}`,
  ])
  const run = (args: readonly string[], input = ''): PodmanResult => {
    const options = { encoding: 'utf8', env, input, timeout: 60_000 } as const
    const { status, stdout, stderr } = spawnSync(command, [...head, ...args], options)
    return { status, stdout, stderr }
  }
  const succeed = (args: readonly string[], input?: string): string => {
    const { status, stdout, stderr } = run(args, input)
    if (status !== 0) throw new Error(`podman ${args.join(' ')}: ${status}: ${stderr}`)
    return stdout.replace(/\n$/, '')
  }
  const stop = async (): Promise<void> => {
    run(['pod', 'rm', '--all', '--force', '--time=0'])
    run(['rm', '--all', '--force', '--time=0'])
    namespace[Symbol.dispose]()
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    succeed(['load', '--quiet', '--input', await buildBusyboxImage()])
  } catch (error) {
    await stop()
    throw error
  }
  return {
    directory,
    run,
    succeed,
    async start(args) {
      const child = spawn(command, [...head, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
      let [stdout, stderr] = ['', '']
      child.stdout.on('data', (chunk) => {
        stdout += chunk
      })
      child.stderr.on('data', (chunk) => {
        stderr += chunk
      })
      const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
      return { status, stdout, stderr }
    },
    onTerminal(args) {
      const line = [command, ...head, ...args].map(shellWord).join(' ')
      const options = { encoding: 'utf8', env, timeout: 60_000 } as const
      return spawnSync('script', ['-qec', line, '/dev/null'], options).stdout
    },
    [Symbol.asyncDispose]: stop,
  }
}

/** crun raises RLIMIT_MEMLOCK for its device filter, which needs CAP_SYS_RESOURCE. */
export function canCrunMakeCgroups(): boolean {
  const CAP_SYS_RESOURCE = 24n
  const effective = /CapEff:\s*([0-9a-f]+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  return ((BigInt(`0x${effective}`) >> CAP_SYS_RESOURCE) & 1n) === 1n
}
