/** The name of a uid in the host's passwd(5), for the OWNER column. */
import { readFileSync } from 'node:fs'

/** The user's name, `#<uid>` when it has none (as runc prints it). */
export function userName(uid: number): string {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.split(':')[2] === String(uid))
  return line?.split(':')[0] ?? `#${uid}`
}
