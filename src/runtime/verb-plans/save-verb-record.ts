/** Leaves in a container's folder what the plans of `start` and `delete` must know of it. */
import { statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import type { ContainerRecord } from '../../state/container-record.ts'
import {
  containerDirectory,
  PREPARED_RECORD,
  writeContainerFile,
} from '../../state/state-directory.ts'
import { encodeVerbRecord, RECORD_FLAGS, recordFlags, VERB_RECORD } from './verb-record.ts'

export interface ContainerToRecord {
  readonly options: { readonly root: string }
  readonly config: RuntimeConfig
  readonly cgroup: { readonly mountPoint: string } | undefined
}

/** After the record was prepared, before it is published. Nothing is left where no plan could do a verb alone. */
export function saveVerbRecord(
  container: ContainerToRecord,
  { id, pid, cgroup = '', scope }: ContainerRecord,
): void {
  const { root } = container.options
  // A scope is systemd's to remove: it would keep the unit of a cgroup that is gone.
  const flags = recordFlags(container.config, scope !== undefined)
  if (flags === 0) return
  const state = statSync(join(containerDirectory(root, id), PREPARED_RECORD), { bigint: true })
  const bytes = encodeVerbRecord({
    pid,
    flags: flags | parentFlag(container, cgroup),
    state,
    cgroup,
  })
  if (bytes !== undefined) writeContainerFile(root, id, VERB_RECORD, bytes)
}

function parentFlag(container: ContainerToRecord, cgroup: string): number {
  if (container.cgroup === undefined) return 0
  const isDefault = dirname(cgroup) === join(container.cgroup.mountPoint, 'tsrun')
  return isDefault ? RECORD_FLAGS.defaultParent : 0
}
