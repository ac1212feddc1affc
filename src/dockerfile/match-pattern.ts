/** Shell patterns with `*` and `?` on values, for `${name#pattern}` and its like; linear in the value, never a regular expression. */

type Token = '*' | '?' | { readonly char: string }

/** Lengths of all beginnings of `text` that the pattern matches, the shortest first. */
export function matchingPrefixes(text: string, pattern: string): number[] {
  return prefixesOf([...text], tokensOf(pattern))
}

/** Lengths of all endings that the pattern matches, the shortest first. */
export function matchingSuffixes(text: string, pattern: string): number[] {
  return prefixesOf([...text].reverse(), tokensOf(pattern).reverse())
}

/** `text` with the first match of the pattern replaced, or all; the longest match at each place. */
export function replaceMatches(
  text: string,
  pattern: string,
  replacement: string,
  which: 'first' | 'all',
): string {
  const tokens = tokensOf(pattern)
  const chars = [...text]
  let result = ''
  for (let i = 0; i < chars.length; ) {
    const length = prefixesOf(chars.slice(i), tokens).at(-1) ?? 0
    if (length === 0) {
      result += chars[i]
      i++
      continue
    }
    result += replacement
    i += length
    if (which === 'first') return result + chars.slice(i).join('')
  }
  return result
}

function tokensOf(pattern: string): Token[] {
  const tokens: Token[] = []
  const chars = [...pattern]
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i] ?? ''
    if (char === '\\' && i + 1 < chars.length) tokens.push({ char: chars[++i] ?? '' })
    else if (char === '*' || char === '?') {
      if (char !== '*' || tokens.at(-1) !== '*') tokens.push(char)
    } else tokens.push({ char })
  }
  return tokens
}

// All places in the pattern that the text so far may have reached, a character at a time.
function prefixesOf(chars: readonly string[], tokens: readonly Token[]): number[] {
  const lengths: number[] = []
  let states = closure(new Set([0]), tokens)
  for (let i = 0; ; i++) {
    if (states.has(tokens.length)) lengths.push(i)
    const char = chars[i]
    if (char === undefined || states.size === 0) return lengths
    const next = new Set<number>()
    for (const at of states) {
      const token = tokens[at]
      if (token === undefined) continue
      if (token === '*') next.add(at)
      else if (token === '?' || token.char === char) next.add(at + 1)
    }
    states = closure(next, tokens)
  }
}

// A star matches nothing, too.
function closure(states: Set<number>, tokens: readonly Token[]): Set<number> {
  for (const at of states) if (tokens[at] === '*') states.add(at + 1)
  return states
}
