/** What a process that joins a container does not get, in words for the caller's log. */
import { capabilityWarnings } from '../oci/normalize-runtime-config.ts'
import type { Capabilities, Process, RuntimeConfig } from '../oci/runtime-config.ts'

/**
 * `withheld` are the capabilities that cannot be given. Those that the container's own process asks for are
 * left out: its `create` told of them, and a health check would fill the log.
 */
export function execWarnings(
  process: Process,
  config: RuntimeConfig,
  withheld: readonly string[],
): readonly string[] {
  const told = new Set(Object.values(config.process?.capabilities ?? {}).flat())
  const sets: Capabilities = Object.fromEntries(
    Object.entries(process.capabilities ?? {}).map(([set, names]) => [
      set,
      names.filter((name: string) => !told.has(name)),
    ]),
  )
  return capabilityWarnings(sets, withheld)
}
