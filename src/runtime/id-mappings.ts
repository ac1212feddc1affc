/** Writes the id maps of a new user namespace from outside (user_namespaces(7)). */
import { readFileSync, writeFileSync } from 'node:fs'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import type { IdMapping, RuntimeConfig } from '../oci/runtime-config.ts'
import type { IdKind } from './rootless/subordinate-ids.ts'

/** Maps ids for the namespace of `pid`, which has just been made and waits; one that it has joined has its own. */
export async function writeIdMappings(pid: number, config: RuntimeConfig): Promise<void> {
  const { uidMappings = [], gidMappings = [], namespaces = [] } = config.linux ?? {}
  if (!namespaces.some(({ type, path }) => type === 'user' && (path ?? '') === '')) return
  if (process.geteuid?.() === 0) {
    write(`/proc/${pid}/uid_map`, mapText(uidMappings), 'linux.uidMappings')
    write(`/proc/${pid}/gid_map`, mapText(gidMappings), 'linux.gidMappings')
    return
  }
  await writeAsUser(pid, 'uid', uidMappings)
  await writeAsUser(pid, 'gid', gidMappings)
}

/** Whether the kernel lets a user without rights write these: one id, and that their own. */
export function isOwnId(mappings: readonly IdMapping[], own: number | undefined): boolean {
  const [only, ...more] = mappings
  return more.length === 0 && only?.size === 1 && only.hostID === own
}

async function writeAsUser(
  pid: number,
  kind: IdKind,
  mappings: readonly IdMapping[],
): Promise<void> {
  const path = `/proc/${pid}/${kind}_map`
  const field = `linux.${kind}Mappings`
  if (isOwnId(mappings, kind === 'uid' ? process.geteuid?.() : process.getegid?.())) {
    // Or a group that denies its members something could be left (CVE-2014-8989).
    if (kind === 'gid') write(`/proc/${pid}/setgroups`, 'deny', 'setgroups')
    write(path, mapText(mappings), field)
  } else {
    // Only with ranges: programs are started, which costs.
    const { mapWithHelper } = await import('./rootless/map-helper.ts')
    await mapWithHelper({ pid, kind, mappings, field })
  }
  checkMap(readFileSync(path, 'utf8'), mappings, field)
}

/** Throws `internal` unless the text of a uid_map is what was asked for: others wrote it. */
export function checkMap(text: string, mappings: readonly IdMapping[], field: string): void {
  const lines = (map: string): readonly string[] =>
    map
      .split('\n')
      .map((line) => line.trim().replace(/\s+/g, ' '))
      .filter((line) => line !== '')
      .sort()
  const [is, wanted] = [lines(text), lines(mapText(mappings))]
  if (is.join('\n') === wanted.join('\n')) return
  throw new TsrunError(
    'internal',
    `cannot apply ${field}: the namespace has ${JSON.stringify(is.join(', '))}, not ${JSON.stringify(wanted.join(', '))}`,
  )
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
