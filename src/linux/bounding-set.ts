/** The capability bounding set of a process, from its /proc/<pid>/status (capabilities(7), proc(5)). */
import { CAPABILITY_NAMES, type CapabilityName, capabilityMask } from './capabilities.ts'

/** What a program that root executes can have at most. `status` is the text of the file. */
export function boundingSet(status: string): readonly CapabilityName[] {
  const bits = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`)
  return CAPABILITY_NAMES.filter((name) => (bits & capabilityMask([name])) !== 0n)
}
