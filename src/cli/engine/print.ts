/** Standard output of commands that show what images and containers say of themselves: labels, commands, paths. */
import { printable } from '../../errors.ts'

/**
 * Prints `text`. On a terminal control characters are shown escaped, in JSON in JSON's own way: a label of
 * an image must not steer it. Programs get every byte.
 */
export function print(text: string): void {
  process.stdout.write(process.stdout.isTTY === true ? escapeLines(text) : text)
}

/** `text` with the control characters of each line escaped; tabs stay. */
export function escapeLines(text: string): string {
  return text.replace(/[^\n\t]+/g, printable)
}
