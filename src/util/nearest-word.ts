/** What a mistyped word was probably meant to be. */

/** Longer words are no typing mistakes, and comparing costs the product of both lengths. */
const MAX_LENGTH = 64

/** The word of `known` that is least different from `text`; undefined when none is near. */
export function nearestWord(text: string, known: readonly string[]): string | undefined {
  if (text.length === 0 || text.length > MAX_LENGTH) return undefined
  let best: string | undefined
  let least = Math.max(1, Math.floor(text.length / 3)) + 1
  for (const word of known) {
    const difference = differenceOf(text, word)
    if (difference >= least) continue
    least = difference
    best = word
  }
  return best ?? known.find((word) => text.length > 2 && word.startsWith(text))
}

// Optimal string alignment: letters put in, left out, replaced, and neighbours swapped.
function differenceOf(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = [...Array(b.length + 1).keys()]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      row.push(
        Math.min(
          (last[j] ?? 0) + 1,
          (row[j - 1] ?? 0) + 1,
          (last[j - 1] ?? 0) + (same ? 0 : 1),
          swapped ? (beforeLast[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
        ),
      )
    }
    beforeLast = last
    last = row
  }
  return last[b.length] ?? 0
}
