/** Colours for people: on terminals, or as NO_COLOR (no-color.org) and CLICOLOR_FORCE (bixense.com/clicolors) say. */

export type Colour = 'red' | 'green' | 'yellow' | 'cyan' | 'bold' | 'dim'

/** Colours `text`, or returns it as it is. */
export type Painter = (colour: Colour, text: string) => string

/** SGR parameters (ECMA-48 8.3.117): what begins the colour and what ends it. */
const CODES: Readonly<Record<Colour, readonly [number, number]>> = {
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
  bold: [1, 22],
  dim: [2, 22],
}

/** The painter for a stream. */
export function painterFor(
  stream: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): Painter {
  if (!wantsColour(stream, env)) return (_colour, text) => text
  return (colour, text) => {
    const [on, off] = CODES[colour]
    return `\u001b[${on}m${text}\u001b[${off}m`
  }
}

function wantsColour(
  stream: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  if ((env.NO_COLOR ?? '') !== '') return false
  if ((env.CLICOLOR_FORCE ?? '0') !== '0') return true
  return stream.isTTY === true && env.TERM !== 'dumb' && env.CLICOLOR !== '0'
}
