/** Names for what all processes of a machine share: cgroups, network interfaces, hosts' names. */
import { randomBytes } from 'node:crypto'

// Not the pid: two pid namespaces may share the cgroups.
const RUN = randomBytes(3).toString('hex')

/** `name` as nobody else has it: another checkout, or the same tests against another runtime, may run beside this one. */
export function uniqueId(name: string): string {
  return `${name}-${RUN}`
}
