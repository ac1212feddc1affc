/** Splits the text after an instruction into words, as docker's parser does: quotes and escapes stay in them. */

/** Words between white space; quotes hold together, the escape character takes what follows. */
export function splitQuoted(text: string, escapeChar: string): string[] {
  const words: string[] = []
  let word = ''
  let quote = ''
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i)
    if (quote === '' && /\s/.test(char)) {
      if (word !== '') words.push(word)
      word = ''
      continue
    }
    word += char
    if (char === escapeChar && quote !== "'") {
      word += text.charAt(i + 1)
      i++
    } else if (quote !== '') {
      if (char === quote) quote = ''
    } else if (char === '"' || char === "'") quote = char
  }
  if (word !== '') words.push(word)
  return words
}

/** Words between white space, whatever is in them. */
export function splitPlain(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '')
}

/** The list of strings that `text` is in JSON; undefined for anything else. */
export function jsonList(text: string): readonly string[] | undefined {
  if (!text.startsWith('[')) return undefined
  try {
    const value: unknown = JSON.parse(text)
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  return undefined
}
