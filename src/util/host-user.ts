/** Who we are on the host, also from inside a user namespace (user_namespaces(7)). */
import { readFileSync } from 'node:fs'

const ALL_IDS = /^\s*0\s+0\s+4294967295\s*$/

/** Whether we are root of the host, or of a user namespace that has all ids of it. */
export function isHostRoot(): boolean {
  return process.geteuid?.() === 0 && ALL_IDS.test(ownMap())
}

/** Our user id as processes outside our user namespace see it. */
export function hostUid(uid = process.geteuid?.() ?? 0, map = ownMap()): number {
  for (const line of map.split('\n')) {
    const [inside = 0, outside = 0, count = 0] = line.trim().split(/\s+/).map(Number)
    if (uid >= inside && uid < inside + count) return outside + (uid - inside)
  }
  return uid
}

function ownMap(): string {
  return readFileSync('/proc/self/uid_map', 'utf8')
}
