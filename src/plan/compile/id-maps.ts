/** A new user namespace: Node writes the mappings, then init becomes its root (user_namespaces(7)). */
import type { CreateContext } from './create-context.ts'
import { hasNamespace } from './create-context.ts'
import { emitDumpable, emitUndumpable } from './process-attributes.ts'
import { emitSync } from './report-records.ts'

/** Waits for uid_map and gid_map, and for a cgroup that clone3 could not enter. */
export function emitIdMaps(c: CreateContext, joinsCgroupLate: boolean): void {
  const isNew = hasNamespace(c.config, 'user', 'new')
  // The files of an undumpable process belong to root (proc(5)): nobody else could write its maps. Nobody of the
  // container is there yet, and a user namespace keeps those of others from tracing it (ptrace(2)).
  const isShown = isNew && c.options.features.rootless === true
  if (isShown) c.b.at('/linux/uidMappings', () => emitDumpable(c.b))
  if (isNew || joinsCgroupLate) emitSync(c.b, c.report, 'mappings')
  if (isShown) c.b.at('/linux/uidMappings', () => emitUndumpable(c.b))
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
