/** Checks `linux.intelRdt` of config.json: names and lines that end up in files of resctrl. */
import type { JsonCursor } from './json-cursor.ts'

/** What resctrl has in its root itself (Documentation/filesystems/resctrl.rst). */
const RESERVED = ['.', '..', 'info', 'mon_data', 'mon_groups']

/** config-linux.md "IntelRdt"; `rdt` is an object. */
export function checkIntelRdt(rdt: JsonCursor): void {
  const closId = rdt.field('closID')
  const name = closId.string() ?? ''
  if (name !== '/' && (/[/\n]/.test(name) || RESERVED.includes(name)))
    closId.report(
      `must be "/" or a name that a directory of resctrl can have, not ${JSON.stringify(name)}`,
    )
  checkLine(rdt.field('l3CacheSchema'))
  const bandwidth = checkLine(rdt.field('memBwSchema'))
  if (bandwidth !== '' && !bandwidth.startsWith('MB:'))
    rdt.field('memBwSchema').report(`must start with "MB:", not ${JSON.stringify(bandwidth)}`)
  for (const line of rdt.field('schemata').items()) checkLine(line)
  rdt.field('enableMonitoring').boolean()
}

/** Each is one line of a file: a newline would smuggle in another. */
function checkLine(line: JsonCursor): string {
  const text = line.string() ?? ''
  if (text.includes('\n')) line.report('must be one line')
  return text
}
