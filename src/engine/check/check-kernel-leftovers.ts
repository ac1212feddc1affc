/** What the kernel still holds of containers that do not run: mounts of their roots, cgroups, monitors. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cgroupPath } from '../../cgroup/cgroupfs-manager.ts'
import { detectCgroups } from '../../cgroup/detect.ts'
import { openCgroup } from '../../cgroup/open-cgroup.ts'
import { errnoCodeOf } from '../../errors.ts'
import { parseMountinfo } from '../../linux/parse-mountinfo.ts'
import { identify, isAlive } from '../../runtime/process-liveness.ts'
import { readTextIfThere } from '../../util/if-there.ts'
import { shortId } from '../container-record.ts'
import { statusOf } from '../container-status.ts'
import type { Engine } from '../engine.ts'
import { unmountShm } from '../joined-namespaces.ts'
import { unmountRoot } from '../root-filesystem.ts'
import { sendSignal } from '../signal-container.ts'
import { type Finding, REPAIR_REMEDY } from './finding.ts'

/** A monitor that has done its work ends within a moment. */
const MONITOR_GRACE_MS = 2000
const SIGKILL = 9

export async function* checkKernelLeftovers(engine: Engine): AsyncGenerator<Finding> {
  yield* checkMounts(engine)
  yield* checkCgroups(engine)
  yield* checkMonitors(engine)
}

function* checkMounts(engine: Engine): Generator<Finding> {
  const folder = dirname(engine.containers.directory('x'))
  for (const { mountPoint } of parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'))) {
    const id = /^([0-9a-f]{64})\/(?:rootfs|mapped|shm|mount-\d+(?:\.image)?)$/.exec(
      mountPoint.slice(folder.length + 1),
    )?.[1]
    if (id === undefined || !mountPoint.startsWith(`${folder}/`) || !isAtRest(engine, id)) continue
    yield {
      kind: 'mount',
      object: mountPoint,
      problem: 'it is left of a command that was killed',
      remedy: `${REPAIR_REMEDY}, or umount -l ${mountPoint}`,
      repair: async () => {
        unmountRoot(engine, id)
        unmountShm(engine, id)
        return 'unmounted it'
      },
    }
  }
}

function* checkCgroups(engine: Engine): Generator<Finding> {
  const hierarchy = detectCgroups()
  if (hierarchy === undefined) return
  for (const id of engine.containers.ids()) {
    const path = cgroupPath(hierarchy, undefined, id)
    if (!existsSync(path) || !isAtRest(engine, id)) continue
    yield {
      kind: 'cgroup',
      object: path,
      problem: `it is left of container ${shortId(id)}, which does not run`,
      remedy: `${REPAIR_REMEDY}, or rmdir ${path}`,
      repair: async () => {
        await (await openCgroup({ path })).remove()
        return 'removed it'
      },
    }
  }
}

/** Neither alive nor in somebody's hands, nor waiting for its clean-up, which has a finding of its own. */
function isAtRest(engine: Engine, id: string): boolean {
  const { containers } = engine
  if (containers.isUnfinished(id)) return false
  const lock = containers.tryLock(id)
  if (lock === undefined) return false
  try {
    const record = containers.read(id)
    if (record === undefined) return true
    const { status, pid, needsCleanup } = statusOf(record, containers.directory(id))
    return (status === 'exited' || status === 'created') && pid === 0 && !needsCleanup
  } finally {
    lock.close()
  }
}

async function* checkMonitors(engine: Engine): AsyncGenerator<Finding> {
  const folder = dirname(engine.containers.directory('x'))
  const found = orphansOf(folder)
  if (found.length === 0) return
  await sleep(MONITOR_GRACE_MS)
  for (const { pid, startTime, directory } of found) {
    if (!isAlive(pid, startTime)) continue
    yield {
      kind: 'monitor',
      object: String(pid),
      problem: `it watches ${directory}, which is gone`,
      remedy: `${REPAIR_REMEDY}, or kill ${pid}`,
      repair: async () => {
        sendSignal(pid, startTime, SIGKILL)
        return 'ended it'
      },
    }
  }
}

/** Monitors whose working directory, the folder of their container, was removed. */
function orphansOf(folder: string): { pid: number; startTime: number; directory: string }[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    const directory = workingDirectoryOfMonitor(Number(name))
    if (directory === undefined || !directory.startsWith(`${folder}/`)) return []
    if (!directory.endsWith(' (deleted)')) return []
    const identity = identify(Number(name))
    return identity === undefined
      ? []
      : [{ ...identity, directory: directory.replace(/ \(deleted\)$/, '') }]
  })
}

function workingDirectoryOfMonitor(pid: number): string | undefined {
  if (readTextIfThere(join('/proc', String(pid), 'comm')) !== 'tsrun-monitor\n') return undefined
  try {
    return readlinkSync(join('/proc', String(pid), 'cwd'))
  } catch (error) {
    const code = errnoCodeOf(error)
    if (code === 'ENOENT' || code === 'ESRCH') return undefined
    throw error
  }
}
