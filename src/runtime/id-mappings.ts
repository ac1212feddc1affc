/** Writes the id maps of a new user namespace from outside (user_namespaces(7)). */
import { writeFileSync } from 'node:fs'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import type { IdMapping, RuntimeConfig } from '../oci/runtime-config.ts'

/** Maps ids for the namespace of `pid`, which has just been made and waits. */
export function writeIdMappings(pid: number, config: RuntimeConfig): void {
  const uids = config.linux?.uidMappings ?? []
  const gids = config.linux?.gidMappings ?? []
  // A process without CAP_SETGID outside may map its own gid only after giving up setgroups(2).
  if (process.geteuid?.() !== 0) write(`/proc/${pid}/setgroups`, 'deny', 'setgroups')
  write(`/proc/${pid}/uid_map`, mapText(uids), 'linux.uidMappings')
  write(`/proc/${pid}/gid_map`, mapText(gids), 'linux.gidMappings')
}

function mapText(mappings: readonly IdMapping[]): string {
  return mappings
    .map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`)
    .join('')
}

function write(path: string, text: string, field: string): void {
  if (text === '') return
  try {
    writeFileSync(path, text)
  } catch (cause) {
    const code = errnoCodeOf(cause)
    throw new TsrunError(
      'permission-denied',
      `cannot apply ${field} ${JSON.stringify(text.trim())}: ${code}`,
      {
        cause,
        hint:
          code === 'EINVAL'
            ? 'the ranges overlap or wrap around'
            : 'these ids are not yours to map: see subuid(5)',
      },
    )
  }
}
