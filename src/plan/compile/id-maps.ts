/** A new user namespace: Node writes the mappings, then init becomes its root (user_namespaces(7)). */
import type { CreateContext } from './create-context.ts'
import { hasNamespace } from './create-context.ts'
import { emitUndumpable } from './process-attributes.ts'
import { emitSync } from './report-records.ts'

/** Waits for uid_map and gid_map, and for a cgroup that clone3 could not enter. */
export function emitIdMaps(c: CreateContext, joinsCgroupLate: boolean): void {
  const isNew = hasNamespace(c.config, 'user', 'new')
  if (isNew || joinsCgroupLate) emitSync(c.b, c.report, 'mappings')
  if (c.inUserNamespace) emitBecomeRoot(c.b)
}

/** uid and gid 0 of the user namespace; a mapping without 0 leaves the overflow ids (EINVAL). */
export function emitBecomeRoot(b: CreateContext['b']): void {
  b.at('/linux/uidMappings', () => {
    for (const change of ['setresgid', 'setresuid']) {
      b.run(change, [0, 0, 0], { tolerate: ['EINVAL'] })
      emitUndumpable(b)
    }
  })
}
