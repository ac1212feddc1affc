/** Runs one command of a build in a container of this process. */
import { readSync } from 'node:fs'
import { TsrunError } from '../../errors.ts'
import type { OwnedFd } from '../../native/owned-fd.ts'
import { untilReadable } from '../../native/readiness.ts'
import type { Mount } from '../../oci/runtime-config.ts'
import type { Engine } from '../engine.ts'
import { startOwned } from '../owned-container.ts'
import type { RunRequest } from '../run-request.ts'
import { sendSignal } from '../signal-container.ts'

export interface BuildCommand {
  /** The tree, mounted. */
  readonly root: string
  readonly words: readonly string[]
  readonly env: readonly string[]
  readonly user: string
  readonly workingDirectory: string
  readonly network: string
  readonly mounts: readonly Mount[]
  readonly signal: AbortSignal | undefined
  readonly onOutput: (bytes: Buffer) => void
}

/** The same for every build: it is in the environment, and programs write it into files. */
const HOSTNAME = 'tsrun-build'
const SIGKILL = 9
const CHUNK = 64 * 1024

/** Throws `failed-precondition` unless the command succeeds. Nothing of the container is left. */
export async function runCommand(engine: Engine, command: BuildCommand): Promise<void> {
  const { signal, words } = command
  const owned = await startOwned(engine, requestOf(command), { mounts: command.mounts })
  const kill = () => sendSignal(owned.pid, owned.startTime, SIGKILL)
  signal?.addEventListener('abort', kill, { once: true })
  if (signal?.aborted === true) kill()
  try {
    const outputs = [owned.stdout, owned.stderr].map((pipe) =>
      forwardOne(pipe, command.onOutput).catch((error: unknown) => {
        // A listener that throws: nobody hears the command any more, and its mounts are about to go.
        kill()
        throw error
      }),
    )
    // However it ends, the container is gone then and the pipes are closed.
    await Promise.allSettled([owned.exited, ...outputs])
    await Promise.all(outputs)
    const exit = await owned.exited
    signal?.throwIfAborted()
    if (exit.exitCode === 0) return
    const limits = exit.limitsReached.map(({ resource }) => resource)
    const why = limits.length === 0 ? '' : ` (it reached a limit: ${limits.join(', ')})`
    throw new TsrunError(
      'failed-precondition',
      `the command ${JSON.stringify(words.join(' '))} did not complete: exit code ${exit.exitCode}${why}`,
      { exitCode: 1 },
    )
  } finally {
    signal?.removeEventListener('abort', kill)
  }
}

function requestOf(command: BuildCommand): RunRequest {
  const { network } = command
  return {
    image: '',
    rootfs: command.root,
    command: command.words,
    env: command.env,
    workdir: command.workingDirectory,
    ...(command.user === '' ? {} : { user: command.user }),
    hostname: HOSTNAME,
    network: network === 'host' ? 'host' : 'none',
    networks: [network],
    passwd: false,
  }
}

// Not by a Socket: Bun's takes no pipe, and ends while one waits for it.
async function forwardOne(pipe: OwnedFd, onOutput: (bytes: Buffer) => void): Promise<void> {
  using _ = pipe
  for (;;) {
    await untilReadable(pipe.fd)
    const chunk = Buffer.alloc(CHUNK)
    const length = readSync(pipe.fd, chunk, 0, chunk.length, null)
    if (length === 0) return
    onOutput(chunk.subarray(0, length))
  }
}
