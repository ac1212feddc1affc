/** Compares schemata of resctrl: `L3:0=7ff;1=1f`, a resource and a value for each of its domains. */

/** The first of `lines` that the schemata file `present` does not have; a line may name only some domains. */
export function missingLine(present: string, lines: readonly string[]): string | undefined {
  const known = new Map(present.split('\n').flatMap((line) => parse(line) ?? []))
  return lines.find((line) => {
    const parsed = parse(line)?.[0]
    if (parsed === undefined) return true
    const domains = known.get(parsed[0])
    return [...parsed[1]].some(([domain, value]) => domains?.get(domain) !== value)
  })
}

type Schema = readonly [resource: string, domains: ReadonlyMap<string, string>]

// In a list, so that flatMap() leaves out what is none.
function parse(line: string): readonly Schema[] | undefined {
  const match = /^\s*([A-Z0-9_]+)\s*:(.+)$/.exec(line)
  if (match === null) return undefined
  const domains = (match[2] ?? '').split(';').map((part) => {
    const [domain = '', value = ''] = part.split('=').map((text) => text.trim())
    // The kernel pads with zeros and takes 0x before a mask.
    return [bare(domain), bare(value.toLowerCase().replace(/^0x/, ''))] as const
  })
  return [[match[1] ?? '', new Map(domains)]]
}

function bare(number: string): string {
  return number.replace(/^0+(?=.)/, '')
}
