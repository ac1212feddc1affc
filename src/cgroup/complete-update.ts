/** Halves of limits that cgroup v2 takes together: an update may give one and mean the other to stay. */
import type { Resources } from '../oci/runtime-config.ts'

/** `resources` with the other half from what the cgroup has now, read as text by the name of a file. */
export function completeUpdate(
  resources: Resources,
  read: (file: string) => string | undefined,
): Resources {
  const { cpu, memory } = resources
  return {
    ...resources,
    ...(cpu === undefined ? {} : { cpu: { ...cpu, ...keptQuota(cpu, read) } }),
    ...(memory === undefined ? {} : { memory: { ...memory, ...keptLimit(memory, read) } }),
  }
}

// A period alone would be written as `max <period>`: the quota would be lost.
function keptQuota(
  { period = 0, quota = 0 }: NonNullable<Resources['cpu']>,
  read: (file: string) => string | undefined,
): { readonly quota?: number } {
  if (period === 0 || quota !== 0) return {}
  const current = limitOf(read('cpu.max')?.split(' ')[0])
  return current === undefined ? {} : { quota: current }
}

// The spec's swap limit is of memory and swap together, so it means nothing without the one of memory.
function keptLimit(
  { swap = 0, limit = 0 }: NonNullable<Resources['memory']>,
  read: (file: string) => string | undefined,
): { readonly limit?: number } {
  if (swap <= 0 || limit !== 0) return {}
  const current = limitOf(read('memory.max'))
  return current === undefined ? {} : { limit: current }
}

/** Undefined for `max`, and where there is no such file. */
function limitOf(text: string | undefined): number | undefined {
  const digits = text?.trim() ?? ''
  return /^\d{1,15}$/.test(digits) ? Number(digits) : undefined
}
