/** `restore`: makes a container of saved images, with criu (runtime-spec has no such operation; runc's is the model). */
import { openSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { CgroupManager } from '../cgroup/cgroup-manager.ts'
import { detectCgroups } from '../cgroup/detect.ts'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { hostFeatures } from '../native/host-features.ts'
import { hostArchitecture } from '../native/library.ts'
import { OwnedFd } from '../native/owned-fd.ts'
import { sendDescriptor } from '../native/pass-descriptors.ts'
import { untilReadable } from '../native/readiness.ts'
import { type ExitStatus, pidfdOpen, pidfdSendSignal, reap } from '../native/syscalls.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { refuseUnsupported } from '../oci/unsupported-features.ts'
import { withCgroupBinds } from '../plan/compile/cgroup-mount.ts'
import { compileCriu } from '../plan/compile-criu.ts'
import {
  containerDirectory,
  prepareContainerRecord,
  publishContainerRecord,
  writeContainerFile,
} from '../state/state-directory.ts'
import { checkRootfs } from './assemble-container.ts'
import { readBundleConfig, rootfsOf } from './bundle.ts'
import { DESCRIPTORS_FILE } from './checkpoint.ts'
import { claimContainer } from './claim-container.ts'
import { openConsole } from './console.ts'
import { applyLimits, type CgroupDriver, makeCgroup } from './container-cgroup.ts'
import { containerRdt, makeContainerRdt, removeContainerRdt } from './container-rdt.ts'
import {
  type CriuDirectories,
  type CriuFlags,
  commonOptions,
  openDirectories,
  refuseShared,
} from './criu/criu-flags.ts'
import { withLog } from './criu/explain-log.ts'
import { mountsToRestore } from './criu/external-mounts.ts'
import { findCriu } from './criu/find-criu.ts'
import type { CriuOptions } from './criu/messages.ts'
import { namespacesToRestore } from './criu/namespaces.ts'
import { CriuSession, type Notification } from './criu/session.ts'
import { writePidFile } from './drive-create.ts'
import { searchPath } from './find-program.ts'
import { runHooks } from './hooks.ts'
import { joinRdtGroups } from './intel-rdt.ts'
import { recordOf } from './record-of.ts'

const LOG_FILE = 'restore.log'
const SIGKILL = 9

export interface RestoreOptions extends CriuFlags {
  readonly root: string
  readonly id: string
  readonly bundle: string
  /** Take the place of the saved standard streams that were pipes. */
  readonly stdio: readonly [number, number, number]
  readonly consoleSocket?: string
  /** An already connected console socket, instead of a path. Stays the caller's. */
  readonly consoleFd?: number
  readonly pidFile?: string
  /** `selinux:…` or `apparmor:…` instead of the saved one. */
  readonly lsmProfile?: string
  readonly lsmMountContext?: string
  readonly stickyRoot?: boolean
  readonly cgroups?: CgroupDriver
  readonly environment: NodeJS.ProcessEnv
}

/** Dispose it to leave the container to itself. */
export interface RestoredContainer extends Disposable {
  readonly pid: number
  /** Waits for the end of init, which is a child of this process. */
  wait(): Promise<ExitStatus>
}

/** What a restore holds while it is under way. */
interface Restore {
  readonly options: RestoreOptions
  readonly bundle: string
  readonly rootfs: string
  readonly config: RuntimeConfig
  /** `config` with binds of the host's cgroups where the container has no namespace for them. */
  readonly mounted: RuntimeConfig
  readonly cgroup: CgroupManager | undefined
  readonly console: number | undefined
  init: OwnedFd | undefined
}

/**
 * Restores the container, which runs then; or leaves nothing behind. Throws TsrunError: `already-exists`
 * for a taken id, `not-found` without images, `failed-precondition` when criu cannot.
 */
export async function restoreContainer(options: RestoreOptions): Promise<RestoredContainer> {
  const bundle = resolve(options.bundle)
  const config = readBundleConfig(bundle)
  refuseUnsupported(config, hostFeatures())
  const rootfs = realpathSync(rootfsOf(bundle, config))
  checkRootfs(rootfs)
  const program = findCriu(options.criu, options.environment)
  refuseShared(options.imagePath)
  const streams = savedStreams(options.imagePath)
  const claim = await claimContainer(options.root, options.id, options.stickyRoot === true)
  try {
    writeContainerFile(options.root, options.id, 'config.json', JSON.stringify(config))
    const restored = await inCgroup(options, config, (cgroup) =>
      withConsole(options, config, (console) => {
        const mounted = withCgroupBinds(config, detectCgroups()?.mountPoint ?? '/sys/fs/cgroup')
        const restore = {
          options,
          bundle,
          rootfs,
          config,
          mounted,
          cgroup,
          console,
          init: undefined,
        }
        return runCriu(restore, program, streams)
      }),
    )
    claim.close()
    return restored
  } catch (error) {
    claim.abandon()
    throw error
  }
}

async function inCgroup<Result>(
  options: RestoreOptions,
  config: RuntimeConfig,
  work: (cgroup: CgroupManager | undefined) => Promise<Result>,
): Promise<Result> {
  const cgroup = await makeCgroup(options, config)
  try {
    if (cgroup !== undefined) applyLimits(cgroup, config)
    makeContainerRdt(options.root, options.id, config)
    const result = await work(cgroup)
    await cgroup?.settle()
    return result
  } catch (error) {
    removeContainerRdt(options.root, options.id)
    await cgroup?.remove()
    throw error
  }
}

async function withConsole<Result>(
  options: RestoreOptions,
  config: RuntimeConfig,
  work: (console: number | undefined) => Promise<Result>,
): Promise<Result> {
  const console = openConsole(config.process?.terminal === true, options)
  try {
    return await work(console?.fd)
  } finally {
    console?.owned?.close()
  }
}

async function runCriu(
  restore: Restore,
  program: string,
  streams: readonly string[],
): Promise<RestoredContainer> {
  const { options, config, bundle, rootfs, mounted } = restore
  const namespaces = namespacesToRestore(config)
  const plan = compileCriu({
    architecture: hostArchitecture(),
    program,
    environment: [`PATH=${searchPath(options.environment)}`],
    keptDescriptors: 1 + namespaces.descriptors.length,
    restore: {
      rootfs,
      // The container's own folder: criu needs any directory, and in its mount namespace nobody needs this one.
      place: realpathSync(containerDirectory(options.root, options.id)),
      bundle,
      config: mounted,
    },
  })
  using nothing = new OwnedFd(openSync('/dev/null', 'r+'))
  const onTerminal = config.process?.terminal === true
  const stdio = onTerminal ? ([nothing.fd, nothing.fd, nothing.fd] as const) : options.stdio
  let criu: CriuSession | undefined
  try {
    const inherited = namespaces.descriptors.map(({ fd }) => fd)
    criu = await CriuSession.start({ plan, config: mounted, stdio, inherited })
    await criu.check(options.lazyPages === true ? { lazyPages: true } : {})
    using directories = openDirectories(options, criu.pid)
    const pid = await converse(
      restore,
      criu,
      requestOptions(restore, directories, namespaces, streams),
    )
    const { init } = restore
    if (init === undefined) throw new TsrunError('internal', 'criu restored no init')
    return { pid, wait: () => untilEnded(init), [Symbol.dispose]: () => init.close() }
  } catch (error) {
    await undo(restore)
    throw new TsrunError('failed-precondition', `cannot restore container "${options.id}"`, {
      cause: withLog(error, options.workPath ?? options.imagePath, LOG_FILE),
    })
  } finally {
    await criu?.end()
    for (const fd of namespaces.descriptors) fd.close()
  }
}

async function converse(
  restore: Restore,
  criu: CriuSession,
  request: CriuOptions,
): Promise<number> {
  const { cgroup } = restore
  // What criu restores starts where criu is.
  if (cgroup !== undefined) writeFileSync(join(cgroup.place.path, 'cgroup.procs'), String(criu.pid))
  const rdt = containerRdt(restore.options.root, restore.options.id)
  if (rdt !== undefined) joinRdtGroups(rdt, criu.pid)
  const { pid } = await criu.request(
    'restore',
    { ...request, cgroupRoots: cgroupRootsOf(criu.pid) },
    (notification) => answer(restore, notification),
  )
  if (pid === undefined) throw new TsrunError('internal', 'criu names no restored process')
  if (restore.options.pidFile !== undefined) writePidFile(restore.options.pidFile, pid)
  return pid
}

function requestOptions(
  { options, mounted, config, rootfs, bundle }: Restore,
  directories: CriuDirectories,
  { inheritedFds, joinedNamespaces }: ReturnType<typeof namespacesToRestore>,
  streams: readonly string[],
): CriuOptions {
  const pipes = streams.flatMap((key, fd) => (key.startsWith('pipe:') ? [{ key, fd }] : []))
  return {
    ...commonOptions(options, directories, config, LOG_FILE),
    root: realpathSync(containerDirectory(options.root, options.id)),
    evasiveDevices: true,
    restoreSibling: true,
    externalMounts: mountsToRestore(mounted, rootfs, bundle).map((mount) => ({ ...mount })),
    inheritedFds: [...inheritedFds, ...pipes].map((entry) => ({ ...entry })),
    joinedNamespaces: joinedNamespaces.map((entry) => ({ ...entry })),
    ...(options.lsmProfile === undefined ? {} : { lsmProfile: options.lsmProfile }),
    ...(options.lsmMountContext === undefined ? {} : { lsmMountContext: options.lsmMountContext }),
  }
}

async function answer(restore: Restore, { script, pid, descriptor }: Notification): Promise<void> {
  const { options, config, bundle, console } = restore
  if (script === 'setup-namespaces') {
    const { ociVersion, annotations = {} } = config
    const state = {
      ociVersion,
      id: options.id,
      status: 'creating',
      pid: pid ?? 0,
      bundle,
      annotations,
    }
    await runHooks(config, 'prestart', state)
    await runHooks(config, 'createRuntime', state)
  }
  if (script === 'orphan-pts-master' && descriptor !== undefined && console !== undefined)
    sendDescriptor(console, descriptor.fd, '/dev/ptmx')
  if (script !== 'post-restore' || pid === undefined) return
  // It is held still by criu, so the pid is its own.
  restore.init = pidfdOpen(pid)
  const record = recordOf(restore, pid)
  if (record === undefined) throw new TsrunError('internal', `the restored init ${pid} is gone`)
  prepareContainerRecord(options.root, record)
  publishContainerRecord(options.root, options.id)
}

/** Each controller's cgroup of a process, as criu wants the places of what it restores. */
function cgroupRootsOf(pid: number): { readonly controller: string; readonly path: string }[] {
  return readFileSync(`/proc/${pid}/cgroup`, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const match = /^\d+:([^:]*):(.*)$/.exec(line)
      if (match === null) return []
      const [, controllers = '', path = '/'] = match
      return controllers.split(',').map((controller) => ({ controller, path }))
    })
}

function savedStreams(imagePath: string): readonly string[] {
  const path = join(imagePath, DESCRIPTORS_FILE)
  let saved: unknown
  try {
    saved = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    const reason =
      errnoCodeOf(cause) === 'ENOENT' ? 'no such file or directory' : 'it cannot be read'
    throw new TsrunError('not-found', `open ${path}: ${reason}`, {
      cause,
      hint: 'give --image-path the directory of a checkpoint that was completed',
    })
  }
  // runc writes null when the container had none.
  if (saved === null) return []
  if (
    Array.isArray(saved) &&
    saved.length <= 3 &&
    saved.every((entry) => typeof entry === 'string')
  )
    return saved
  throw new TsrunError('invalid-argument', `cannot read ${path}: it must list the names of streams`)
}

async function untilEnded(init: OwnedFd): Promise<ExitStatus> {
  using pidfd = init
  await untilReadable(pidfd.fd)
  return reap(pidfd.fd, false) ?? { exitCode: 0, signal: 0 }
}

async function undo({ init, options }: Restore): Promise<void> {
  if (options.pidFile !== undefined) rmSync(options.pidFile, { force: true })
  if (init === undefined) return
  try {
    pidfdSendSignal(init.fd, SIGKILL)
  } catch (error) {
    if (errnoCodeOf(error) !== 'ESRCH') throw error
  }
  await untilEnded(init)
}
