/** Names of files as byte strings (latin1: one character a byte): on Linux they are bytes and need not be UTF-8. */

/** The byte string of a text. */
export function toByteText(text: string): string {
  return Buffer.from(text).toString('latin1')
}

/** The text of a byte string, for people. */
export function fromByteText(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString()
}
