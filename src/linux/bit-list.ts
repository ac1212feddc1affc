/** Lists of CPUs or memory nodes, as cpuset(7) "List format" writes them: `0-3,7`. */

/** Bits of the largest mask: four times the CPUs that a kernel of any distribution is built for. */
export const MAX_LISTED = 32_768

/** The numbers of `text` as ranges; undefined when it is not such a list, names none, or one is {@link MAX_LISTED} or above. */
export function parseBitList(text: string): readonly (readonly [number, number])[] | undefined {
  const ranges: (readonly [number, number])[] = []
  for (const item of text.split(',')) {
    const match = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(item)
    if (match === null) return undefined
    const first = Number(match[1])
    const last = Number(match[2] ?? match[1])
    if (last < first || last >= MAX_LISTED) return undefined
    ranges.push([first, last])
  }
  return ranges
}

/** The mask with the bits of `text`, little endian in whole 64-bit words, as sched_setaffinity(2) and set_mempolicy(2) take it. */
export function bitMask(text: string): Uint8Array {
  const ranges = parseBitList(text) ?? []
  const highest = ranges.reduce((most, [, last]) => Math.max(most, last), 0)
  const mask = new Uint8Array((Math.floor(highest / 64) + 1) * 8)
  for (const [first, last] of ranges) {
    for (let bit = first; bit <= last; bit++) {
      mask[bit >> 3] = (mask[bit >> 3] ?? 0) | (1 << (bit & 7))
    }
  }
  return mask
}
