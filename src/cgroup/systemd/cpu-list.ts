/** Lists of CPUs or memory nodes as the bytes of a bit mask, lowest first (AllowedCPUs= on D-Bus). */
import { TsrunError } from '../../errors.ts'

/** Above any CPU number that a kernel can have (CONFIG_NR_CPUS is at most 8192 on x86). */
const MAX_NUMBER = 65_535

/** `0-2,5` as `[0b100111]`; an empty list is empty. Throws `invalid-argument`. */
export function parseCpuList(list: string): Uint8Array {
  const ranges = list
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => parseRange(part, list))
  const last = ranges.reduce((most, [, end]) => Math.max(most, end), -1)
  const mask = new Uint8Array(Math.ceil((last + 1) / 8))
  for (const [first, end] of ranges)
    for (let bit = first; bit <= end; bit++)
      mask[bit >> 3] = (mask[bit >> 3] ?? 0) | (1 << (bit & 7))
  return mask
}

function parseRange(part: string, list: string): readonly [number, number] {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part)
  const first = Number(match?.[1])
  const end = Number(match?.[2] ?? match?.[1])
  if (match !== null && first <= end && end <= MAX_NUMBER) return [first, end]
  throw new TsrunError(
    'invalid-argument',
    `cannot read the list of CPUs or memory nodes ${JSON.stringify(list)}`,
    { hint: 'write numbers and ranges, such as 0-2,5' },
  )
}
