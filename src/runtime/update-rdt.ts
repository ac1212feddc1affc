/** `update` of the schemata of a container's resctrl class (Documentation/filesystems/resctrl.rst). */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { readTextIfThere } from '../util/if-there.ts'
import { containerRdt } from './container-rdt.ts'
import { findResctrl, type RdtGroups } from './intel-rdt.ts'

/** Lines of schemata, such as `L3:0=f` and `MB:0=20`. */
export interface RdtUpdate {
  readonly l3CacheSchema?: string
  readonly memBwSchema?: string
}

/** Throws `failed-precondition`, in runc's words, where the host or the container has no such thing. */
export function updateContainerRdt(root: string, id: string, update: RdtUpdate): void {
  const { l3CacheSchema, memBwSchema } = update
  if (l3CacheSchema === undefined && memBwSchema === undefined) return
  if (l3CacheSchema !== undefined && !hasResource('L3'))
    throw refusal('Intel RDT/CAT: l3 cache schema is not enabled')
  if (memBwSchema !== undefined && !hasResource('MB'))
    throw refusal('Intel RDT/MBA: memory bandwidth schema is not enabled')
  const groups = containerRdt(root, id)
  if (groups === undefined)
    throw refusal('updating a non-existent Intel RDT configuration is not supported')
  writeSchemata(groups, [l3CacheSchema ?? '', memBwSchema ?? ''])
}

/** Writes each line by itself, for the kernel says which one it refuses. */
export function writeSchemata({ groups }: RdtGroups, texts: readonly string[]): void {
  const file = join(groups[0] ?? '', 'schemata')
  for (const line of texts.flatMap((text) => text.split('\n')).filter((text) => text !== '')) {
    try {
      writeFileSync(file, `${line}\n`)
    } catch (cause) {
      throw new TsrunError(
        'failed-precondition',
        `cannot write ${JSON.stringify(line)} to ${file}: ${errnoCodeOf(cause)}`,
        { cause, hint: 'last_cmd_status of resctrl says why' },
      )
    }
  }
}

function hasResource(name: string): boolean {
  const mountinfo = readTextIfThere('/proc/self/mountinfo') ?? ''
  if (!mountinfo.includes(' - resctrl ')) return false
  return existsSync(join(findResctrl(mountinfo), 'info', name))
}

function refusal(message: string): TsrunError {
  return new TsrunError('failed-precondition', message, {
    hint: 'it needs a CPU and a kernel that have it, resctrl mounted, and linux.intelRdt at create',
  })
}
