/** Which networks have a way out. */
import type { NetworkRecord } from '../../network/network-record.ts'

/** Whether containers have their default routes through it. */
export function leadsOut({ internal, subnets }: NetworkRecord): boolean {
  return !internal && subnets.some(({ gateway }) => gateway !== undefined)
}
