/** Namespaces and shared memory that a container has from another one, or from the host. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { TsrunError } from '../errors.ts'
import { MS_NODEV, MS_NOEXEC, MS_NOSUID } from '../linux/mount-flags.ts'
import { mountFilesystem } from '../native/mount-at.ts'
import { detachMount } from '../native/overlay-mount.ts'
import type { NamespaceType, RuntimeConfig } from '../oci/runtime-config.ts'
import { NAMESPACE_OPTIONS, type NamespaceOption, namespaceMode } from '../spec/namespaces.ts'
import type { SpecInput } from '../spec/spec-input.ts'
import { userNamespaceMode } from '../spec/user-namespace.ts'
import { existsAt } from '../util/if-there.ts'
import type { ContainerRecord } from './container-record.ts'
import { statusOf } from './container-status.ts'
import type { Engine } from './engine.ts'
import type { RunRequest } from './run-request.ts'

const SHM_FOLDER = 'shm'
const DEFAULT_SHM_SIZE = 64 * 1024 * 1024

export type Joined = Pick<SpecInput, 'joined' | 'shmSource'>

/** Looks up what the request shares; the containers that it names must run. */
export function joinedNamespaces(engine: Engine, request: RunRequest, id: string): Joined {
  const joined: Partial<Record<NamespaceType, string>> = {}
  for (const option of Object.keys(NAMESPACE_OPTIONS) as NamespaceOption[]) {
    const mode = namespaceMode(request, option)
    if (mode.kind !== 'container') continue
    const { type } = NAMESPACE_OPTIONS[option]
    joined[type] = `/proc/${pidOf(engine, option, mode.container)}/ns/${type}`
  }
  const users = userNamespaceMode(request)
  if (users.kind === 'container')
    joined.user = `/proc/${pidOf(engine, 'userns', users.container)}/ns/user`
  const shmSource = shmSourceOf(engine, request, id)
  return { joined, ...(shmSource === undefined ? {} : { shmSource }) }
}

/** The container's config with the namespaces of those it shares with as they are now: they may have been started anew. */
export function rejoinNamespaces(
  engine: Engine,
  { request, id }: ContainerRecord,
  config: RuntimeConfig,
): RuntimeConfig {
  const { joined = {} } = joinedNamespaces(engine, request, id)
  if (Object.keys(joined).length === 0) return config
  const namespaces = (config.linux?.namespaces ?? []).map((namespace) => {
    const path = joined[namespace.type]
    return path === undefined ? namespace : { ...namespace, path }
  })
  return { ...config, linux: { ...config.linux, namespaces } }
}

/** Makes the shared memory that others may have too; it stays for as long as the container runs. */
export function mountShm(engine: Engine, id: string, request: RunRequest): void {
  if (namespaceMode(request, 'ipc').kind !== 'shareable') return
  const target = shmFolder(engine, id)
  mkdirSync(target, { recursive: true, mode: 0o700 })
  detachMount(target)
  mountFilesystem(
    {
      source: 'shm',
      type: 'tmpfs',
      flags: MS_NOSUID | MS_NODEV | MS_NOEXEC,
      data: `mode=1777,size=${request.shmSize ?? DEFAULT_SHM_SIZE}`,
    },
    target,
  )
}

export function unmountShm(engine: Engine, id: string): void {
  const target = shmFolder(engine, id)
  if (existsAt(target)) detachMount(target)
}

function shmSourceOf(engine: Engine, request: RunRequest, id: string): string | undefined {
  const mode = namespaceMode(request, 'ipc')
  if (mode.kind === 'host') return '/dev/shm'
  if (mode.kind === 'shareable') return shmFolder(engine, id)
  if (mode.kind !== 'container') return undefined
  const other = engine.containers.find(mode.container)
  const record = engine.containers.read(other)
  if (record !== undefined && namespaceMode(record.request, 'ipc').kind === 'shareable')
    return shmFolder(engine, other)
  throw new TsrunError(
    'failed-precondition',
    `cannot use --ipc "container:${mode.container}": that container does not share its memory`,
    { hint: 'start it with --ipc shareable' },
  )
}

function shmFolder({ containers }: Engine, id: string): string {
  return join(containers.directory(id), SHM_FOLDER)
}

function pidOf({ containers }: Engine, option: string, text: string): number {
  const id = containers.find(text)
  const record = containers.read(id)
  const pid = record === undefined ? 0 : statusOf(record, containers.directory(id)).pid
  if (pid !== 0) return pid
  throw new TsrunError(
    'failed-precondition',
    `cannot use --${option} "container:${text}": that container does not run`,
    { hint: `start it first: tsrun start ${text}` },
  )
}
