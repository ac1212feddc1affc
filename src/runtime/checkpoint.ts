/** `checkpoint`: saves a running container to image files, with criu. */
import { mkdirSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { detectCgroups } from '../cgroup/detect.ts'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { hostArchitecture } from '../native/library.ts'
import { OwnedFd } from '../native/owned-fd.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { withCgroupBinds } from '../plan/compile/cgroup-mount.ts'
import { compileCriu } from '../plan/compile-criu.ts'
import type { ContainerRecord } from '../state/container-record.ts'
import { nameFile } from '../util/name-file.ts'
import { lockContainer } from './container-lock.ts'
import {
  type CriuDirectories,
  type CriuFlags,
  commonOptions,
  openDirectories,
  refuseShared,
} from './criu/criu-flags.ts'
import { withLog } from './criu/explain-log.ts'
import { mountsToName } from './criu/external-mounts.ts'
import { findCriu } from './criu/find-criu.ts'
import type { CriuOptions } from './criu/messages.ts'
import { namespacesToName } from './criu/namespaces.ts'
import { CriuSession, type Notification } from './criu/session.ts'
import { deleteContainer } from './delete.ts'
import { searchPath } from './find-program.ts'
import { loadContainer } from './load-container.ts'
import { savedConfig } from './saved-config.ts'
import { containerStatus } from './status.ts'

const LOG_FILE = 'dump.log'

/** In the images: what the standard streams were, as runc saves it. */
export const DESCRIPTORS_FILE = 'descriptors.json'

export interface CheckpointOptions extends CriuFlags {
  readonly root: string
  readonly id: string
  /** Images of an earlier pre-dump, relative to {@link imagePath}. */
  readonly parentPath?: string
  readonly leaveRunning?: boolean
  /** Saves memory only, and the container runs on. */
  readonly preDump?: boolean
  readonly tcpSkipInFlight?: boolean
  readonly linkRemap?: boolean
  readonly pageServer?: { readonly address: string; readonly port: number }
  /** An open descriptor that gets a NUL byte when lazy pages can be asked for. It is closed then. */
  readonly statusFd?: number
  readonly environment: NodeJS.ProcessEnv
  readonly warn: (problem: unknown) => void
}

/**
 * Saves the container, and removes it unless it is left running. Throws `failed-precondition` when it
 * does not run, and when criu cannot save it: it runs on then.
 */
export async function checkpointContainer(options: CheckpointOptions): Promise<void> {
  const { root, id } = options
  const record = await loadContainer(root, id)
  {
    using _lock = await lockContainer(root, id)
    const status = containerStatus(root, record)
    if (status === 'created' || status === 'stopped') {
      throw new TsrunError(
        'failed-precondition',
        `Container cannot be checkpointed in ${status} state`,
        { hint: 'only a running container has a state to save' },
      )
    }
    await dump(options, record)
  }
  if (options.leaveRunning === true || options.preDump === true) return
  const { hookFailures } = await deleteContainer(root, id, true)
  for (const failure of hookFailures) options.warn(failure)
}

async function dump(options: CheckpointOptions, record: ContainerRecord): Promise<void> {
  checkParent(options)
  checkStatusFd(options.statusFd)
  const program = findCriu(options.criu, options.environment)
  const config = savedConfig(options.root, options.id)
  refuseIdMappedMounts(config)
  mkdirSync(options.imagePath, { recursive: true, mode: 0o700 })
  refuseShared(options.imagePath)
  if (options.preDump !== true) saveStreams(options.imagePath, record)
  using nothing = new OwnedFd(openSync('/dev/null', 'r+'))
  const plan = compileCriu({
    architecture: hostArchitecture(),
    program,
    environment: [`PATH=${searchPath(options.environment)}`],
    keptDescriptors: 1,
  })
  const stdio = [nothing.fd, nothing.fd, nothing.fd] as const
  const criu = await CriuSession.start({ plan, config, stdio })
  try {
    await criu.check({
      ...(options.preDump === true ? { trackMemory: true } : {}),
      ...(options.lazyPages === true ? { lazyPages: true } : {}),
    })
    using directories = openDirectories(options, 'self')
    const request = requestOptions(options, record, config, directories)
    const type = options.preDump === true ? 'pre-dump' : 'dump'
    await criu.request(type, request, (notification) => answer(options, notification))
  } catch (error) {
    throw new TsrunError('failed-precondition', `cannot checkpoint container "${options.id}"`, {
      cause: withLog(error, options.workPath ?? options.imagePath, LOG_FILE),
    })
  } finally {
    await criu.end()
  }
}

function requestOptions(
  options: CheckpointOptions,
  record: ContainerRecord,
  config: RuntimeConfig,
  directories: CriuDirectories,
): CriuOptions {
  const cgroups = detectCgroups()
  // criu freezes by one hierarchy; where v1 has a freezer beside v2's it takes that.
  const canFreeze = cgroups?.mode === 'unified' && record.cgroup !== undefined
  return {
    ...commonOptions(options, directories, config, LOG_FILE),
    root: record.rootfs,
    pid: record.pid,
    leaveRunning: options.leaveRunning === true,
    tcpSkipInFlight: options.tcpSkipInFlight === true,
    linkRemap: options.linkRemap === true,
    ...namespacesToName(config),
    ...(canFreeze ? { freezeCgroup: record.cgroup } : {}),
    ...(options.pageServer === undefined ? {} : { pageServer: { ...options.pageServer } }),
    ...(options.parentPath === undefined
      ? {}
      : { parentImage: options.parentPath, trackMemory: true }),
    ...(options.preDump === true
      ? {}
      : {
          externalMounts: mountsToName(
            withCgroupBinds(config, cgroups?.mountPoint ?? '/sys/fs/cgroup'),
            record.rootfs,
            record.pid,
          ).map((mount) => ({ ...mount })),
        }),
  }
}

function answer({ statusFd }: CheckpointOptions, { script }: Notification): void {
  if (script !== 'status-ready' || statusFd === undefined) return
  using status = new OwnedFd(statusFd)
  writeSync(status.fd, '\0')
}

// criu binds the source anew, and its files would have other owners.
function refuseIdMappedMounts({ mounts = [] }: RuntimeConfig): void {
  const index = mounts.findIndex(
    ({ uidMappings, gidMappings, options = [] }) =>
      (uidMappings ?? gidMappings) !== undefined ||
      options.some((option) => /^r?idmap(=|$)/.test(option)),
  )
  if (index < 0) return
  throw new TsrunError(
    'not-implemented',
    `unsupported: checkpoint with the id-mapped mount mounts[${index}] (${mounts[index]?.destination})`,
    { hint: 'criu does not restore the mappings of a mount' },
  )
}

function checkParent({ parentPath, imagePath }: CheckpointOptions): void {
  if (parentPath === undefined) return
  if (isAbsolute(parentPath))
    throw new TsrunError('invalid-argument', '--parent-path must be relative', {
      hint: 'give the path from the images of this checkpoint to those of the earlier one',
    })
  if (statSync(join(imagePath, parentPath), { throwIfNoEntry: false })?.isDirectory() === true)
    return
  throw new TsrunError(
    'invalid-argument',
    `invalid --parent-path: ${join(imagePath, parentPath)} is not a directory`,
    { hint: 'it is relative to --image-path' },
  )
}

function checkStatusFd(fd: number | undefined): void {
  if (fd === undefined) return
  const O_ACCMODE = 3
  try {
    const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')
    const flags = Number.parseInt(/^flags:\s+(\d+)$/m.exec(info)?.[1] ?? '', 8)
    if ((flags & O_ACCMODE) !== 0) return
  } catch (error) {
    if (errnoCodeOf(error) !== 'ENOENT') throw error
  }
  throw new TsrunError('invalid-argument', `invalid --status-fd argument ${fd}: not writable`, {
    hint: 'hand over an open descriptor that can be written',
  })
}

// A restore gives the new streams in place of those that are pipes.
function saveStreams(imagePath: string, { stdio = [] }: ContainerRecord): void {
  const path = join(imagePath, DESCRIPTORS_FILE)
  nameFile(path, () => writeFileSync(path, JSON.stringify(stdio), { mode: 0o600 }))
}
