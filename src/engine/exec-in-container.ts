/** `exec`: another process in a running container, with the user and environment that docker gives it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { TsrunError } from '../errors.ts'
import type { Process, RuntimeConfig } from '../oci/runtime-config.ts'
import { type ExecProcess, execInContainer } from '../runtime/exec.ts'
import { capabilitySets } from '../spec/default-capabilities.ts'
import { buildEnvironment } from '../spec/environment.ts'
import { resolveUser } from '../spec/user.ts'
import { statusOf } from './container-status.ts'
import type { Engine } from './engine.ts'
import { containerEvent } from './events/event.ts'
import { recordEvent } from './events/event-log.ts'
import { ownCapabilities } from './host-facts.ts'
import { notRunning } from './not-running.ts'
import { readInRoot } from './read-in-root.ts'

export interface ExecRequest {
  readonly args: readonly string[]
  /** `NAME=value`, on top of the container's. */
  readonly env?: readonly string[] | undefined
  readonly workdir?: string | undefined
  /** `user[:group]`; the container's own when absent. */
  readonly user?: string | undefined
  readonly terminal?: boolean | undefined
  readonly privileged?: boolean | undefined
}

export interface ExecStreams {
  readonly stdio: readonly [number, number, number]
  /** Connected AF_UNIX socket that gets the pty's master. */
  readonly consoleFd?: number
  /** False: the process is left alone once it runs. */
  readonly supervise: boolean
  /** Ends an exec that is under way. */
  readonly signal?: AbortSignal
  /** Called when the program is about to run: `signal` does nothing any more. Throws to stop that. */
  readonly ready?: () => void
}

/** Starts the process. Throws `failed-precondition` for a container that does not run. */
export async function execProcess(
  engine: Engine,
  id: string,
  request: ExecRequest,
  streams: ExecStreams,
): Promise<ExecProcess> {
  const record = engine.containers.read(id)
  const directory = engine.containers.directory(id)
  const status = record === undefined ? undefined : statusOf(record, directory)
  if (record === undefined || status?.status !== 'running') {
    if (status?.status !== 'paused') throw notRunning('exec in', record?.name ?? id)
    throw new TsrunError(
      'failed-precondition',
      `cannot exec in container "${record?.name}": it is paused`,
      { hint: `use tsrun unpause ${record?.name}` },
    )
  }
  const config = JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8')) as RuntimeConfig
  const started = await execInContainer({
    root: engine.stateRoot,
    id,
    process: processOf(config, request, `/proc/${status.pid}/root`),
    ...streams,
  })
  const say = (action: string, more = {}) =>
    recordEvent(engine.dataRoot, containerEvent(record, action, more))
  say(`exec_create: ${request.args.join(' ')}`)
  say(`exec_start: ${request.args.join(' ')}`)
  started.exited?.then(
    ({ exitCode }) => say('exec_die', { exitCode: String(exitCode) }),
    () => {
      // Whoever waits for it gets the failure.
    },
  )
  return started
}

/** The process document of `request`; names of users are looked up below `root`. */
export function processOf(config: RuntimeConfig, request: ExecRequest, root: string): Process {
  const own = config.process ?? { cwd: '/' }
  const workdir = request.workdir ?? own.cwd
  if (!workdir.startsWith('/')) {
    throw new TsrunError(
      'invalid-argument',
      `cannot use the working directory "${workdir}": it must be absolute`,
    )
  }
  const { home, ...user } = userOf(own, request, root)
  const bounding =
    request.privileged === true ? ownCapabilities() : (own.capabilities?.bounding ?? [])
  const { consoleSize: _size, ...rest } = own
  return {
    ...rest,
    terminal: request.terminal === true,
    args: request.args,
    env: environmentOf(own, request, home),
    cwd: workdir,
    user,
    capabilities: capabilitySets(bounding, user.uid),
  }
}

/** Another user has another home; else the container's variables stay as they are. */
function environmentOf(
  own: Process,
  request: ExecRequest,
  home: string | undefined,
): readonly string[] {
  const all = own.env ?? []
  const texts = home === undefined ? all : all.filter((text) => !text.startsWith('HOME='))
  const value = (name: string) =>
    all.find((text) => text.startsWith(`${name}=`))?.slice(name.length + 1)
  return buildEnvironment({
    image: texts,
    user: request.env ?? [],
    hostname: value('HOSTNAME') ?? '',
    home: home ?? value('HOME') ?? '/',
    terminal: request.terminal === true,
  })
}

function userOf(own: Process, request: ExecRequest, root: string) {
  if (request.user === undefined || request.user === '') {
    return { ...(own.user ?? { uid: 0, gid: 0 }), home: undefined }
  }
  return resolveUser({
    user: request.user,
    groups: [],
    passwd: readInRoot(root, '/etc/passwd'),
    group: readInRoot(root, '/etc/group'),
  })
}
