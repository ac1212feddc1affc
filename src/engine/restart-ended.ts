/** What a monitor runs when its container has ended: releases the container, and may have it started anew. */
import { RESTART_STATUS } from '../monitor/monitor-protocol.ts'
import type { OwnedFd } from '../native/owned-fd.ts'
import { cancelRestart } from './cancel-restart.ts'
import type { ContainerRecord } from './container-record.ts'
import type { Engine } from './engine.ts'
import { nextRestart, wasStopped } from './next-restart.ts'
import { cleanUpContainer, recordEnd } from './remove-container.ts'
import { startLocked } from './start-container.ts'

/** Exit status of the clean-up command that lets the monitor go. */
const DONE = 0

/**
 * Finishes the run of container `id` that the monitor `monitorPid` has watched. The result is the clean-up
 * command's exit status: the monitor runs it once more for one from RESTART_STATUS on, after the delay that it stands for.
 * That second time the container is started, under a monitor of its own.
 */
export async function finishRun(
  engine: Engine,
  id: string,
  monitorPid: number,
  warn: (problem: unknown) => void,
): Promise<number> {
  const { containers } = engine
  const isLastRun = () => containers.read(id)?.state.monitorPid === monitorPid
  if (containers.isUnfinished(id) || !isLastRun()) return await justCleanUp(engine, id)
  const lock = await containers.lock(id)
  if (lock === undefined) return DONE
  try {
    const record = containers.read(id)
    if (record === undefined || !isLastRun()) return DONE
    if (record.state.status === 'restarting') return await startAnew(engine, lock, record, warn)
    const ended = await recordEnd(engine, record, (run) => restingOrEnded(engine, run))
    // Whoever else has written its end down did not know of this.
    const next = ended && restingOrEnded(engine, ended)
    if (next?.state.status === 'restarting') {
      if (next !== ended) containers.write(next)
      return RESTART_STATUS + (next.state.restartStep ?? 0)
    }
  } finally {
    lock.close()
  }
  return await justCleanUp(engine, id)
}

async function justCleanUp(engine: Engine, id: string): Promise<number> {
  await cleanUpContainer(engine, id)
  return DONE
}

function endOf({ state }: ContainerRecord) {
  return { exitCode: state.exitCode ?? 0, finishedAt: state.finishedAt }
}

async function startAnew(
  engine: Engine,
  lock: OwnedFd,
  record: ContainerRecord,
  warn: (problem: unknown) => void,
): Promise<number> {
  if (wasStopped(engine.containers.directory(record.id))) {
    cancelRestart(engine, record.id)
    return DONE
  }
  await startLocked(engine, lock, record, { warn, keepsCount: true })
  return DONE
}

function restingOrEnded(engine: Engine, ended: ContainerRecord): ContainerRecord {
  const { state } = ended
  if (state.status !== 'exited') return ended
  const step = nextRestart(ended, engine.containers.directory(ended.id), endOf(ended))
  if (step === undefined) return ended
  const restartCount = (state.restartCount ?? 0) + 1
  return { ...ended, state: { ...state, status: 'restarting', restartCount, restartStep: step } }
}
