/** Runs a program as root of a user namespace that maps a user's own and subordinate ids. */
import { TsrunError } from '../../errors.ts'
import { startPlan } from '../../native/executor.ts'
import { receiveEvent, type SyncPoint } from '../../native/executor-protocol.ts'
import { hostFeatures } from '../../native/host-features.ts'
import { hostArchitecture } from '../../native/library.ts'
import type { ExitStatus } from '../../native/syscalls.ts'
import type { IdMapping, RuntimeConfig } from '../../oci/runtime-config.ts'
import { compileUserNamespace, type Program } from '../../plan/compile-user-namespace.ts'
import { awaitExit } from '../await-exit.ts'
import { explainFailure } from '../explain-failure.ts'
import { followPlan } from '../follow-plan.ts'
import { writeIdMappings } from '../id-mappings.ts'
import { currentUser, type IdKind, subordinateIds } from './subordinate-ids.ts'

export interface ProgramInNamespace {
  readonly pid: number
  readonly exited: Promise<ExitStatus>
}

/** Starts it with our standard streams. It ends with us. Throws what is missing for the namespace. */
export async function runInUserNamespace(program: Program): Promise<ProgramInNamespace> {
  const config = ownMappings()
  const features = hostFeatures()
  const plan = compileUserNamespace(program, { architecture: hostArchitecture(), features })
  const session = startPlan(plan, { stdio: [0, 1, 2], descriptors: [] })
  const explain = (pc: number, errno: number): Error =>
    new TsrunError('failed-precondition', 'cannot run without root', {
      cause: explainFailure(plan, config, program.args, pc, errno),
    })
  const handlers = {
    async sync(point: SyncPoint, pid: number): Promise<void> {
      if (point === 'mappings') await writeIdMappings(pid, config)
    },
    failure: (event: Awaited<ReturnType<typeof receiveEvent>>) =>
      event.type === 'failed'
        ? explain(event.pc, event.errno)
        : new TsrunError('internal', 'cannot run without root: the new process ended at once'),
  }
  try {
    const pid = await followPlan(session, handlers)
    const passed = await receiveEvent(session.report.fd)
    if (passed.type !== 'starting') throw handlers.failure(passed)
    return { pid, exited: awaitExit(session, explain) }
  } catch (error) {
    session[Symbol.dispose]()
    throw error
  }
}

/** Root is the user; the ids from 1 on are those of /etc/subuid and /etc/subgid, where there are any. */
function ownMappings(): RuntimeConfig {
  const uidMappings = mappingsOf('uid', process.geteuid?.() ?? 0)
  const gidMappings = mappingsOf('gid', process.getegid?.() ?? 0)
  return {
    ociVersion: '1.3.0',
    linux: { namespaces: [{ type: 'user' }], uidMappings, gidMappings },
  }
}

function mappingsOf(kind: IdKind, own: number): readonly IdMapping[] {
  const mappings: IdMapping[] = [{ containerID: 0, hostID: own, size: 1 }]
  let next = 1
  for (const { start, count } of subordinateIds(kind, currentUser())) {
    mappings.push({ containerID: next, hostID: start, size: count })
    next += count
  }
  return mappings
}
