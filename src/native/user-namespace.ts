/** A user namespace with given ids and nobody in it: what idmapped mounts take their mapping from. */
import { openSync, writeFileSync } from 'node:fs'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { CLONE_NEWUSER } from '../linux/namespaces.ts'
import { emitSync } from '../plan/compile/report-records.ts'
import { PlanBuilder } from '../plan/plan-builder.ts'
import { startPlan } from './executor.ts'
import { receiveEventSync } from './executor-protocol.ts'
import { hostArchitecture } from './library.ts'
import { OwnedFd } from './owned-fd.ts'
import { reap } from './syscalls.ts'

/** A range of ids: those in the namespace, and what they are outside. */
export interface MappedIds {
  readonly containerID: number
  readonly hostID: number
  readonly size: number
}

export interface NamespaceIds {
  readonly uidMappings: readonly MappedIds[]
  readonly gidMappings: readonly MappedIds[]
}

/** The namespace lives for as long as its descriptor is open (user_namespaces(7)). */
export function openUserNamespace({ uidMappings, gidMappings }: NamespaceIds): OwnedFd {
  const builder = new PlanBuilder(hostArchitecture())
  const report = builder.descriptor('report')
  builder.run('unshare', [CLONE_NEWUSER], { note: 'user namespace of an id mapped mount' })
  // Waits for the answer, and ends with us.
  emitSync(builder, report, 'mappings')
  builder.exit(0)
  const session = startPlan(builder.finish(), { stdio: [-1, -1, -1], descriptors: [] })
  const { pid, pidfd } = session.launcher
  try {
    if (receiveEventSync(session.report.fd).type !== 'sync')
      throw new TsrunError('failed-precondition', 'cannot make a user namespace', {
        hint: 'tsrun doctor says whether this host allows them; sysctl user.max_user_namespaces is their limit',
      })
    writeMap(`/proc/${pid}/uid_map`, uidMappings)
    writeMap(`/proc/${pid}/gid_map`, gidMappings)
    return new OwnedFd(openSync(`/proc/${pid}/ns/user`, 'r'))
  } finally {
    // The end of the socket ends the process.
    session.report.close()
    reap(pidfd.fd, true)
    session[Symbol.dispose]()
  }
}

function writeMap(path: string, mappings: readonly MappedIds[]): void {
  const lines = mappings.map(
    ({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`,
  )
  try {
    writeFileSync(path, lines.join(''))
  } catch (cause) {
    throw new TsrunError(
      'invalid-argument',
      `cannot map the ids ${JSON.stringify(lines.join('').trim())}`,
      {
        cause,
        hint:
          errnoCodeOf(cause) === 'EINVAL'
            ? 'no two ranges may overlap, on either side'
            : 'only root may map these ids',
      },
    )
  }
}
