/** `word` as sh(1) reads it back. */
export function shellWord(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}
