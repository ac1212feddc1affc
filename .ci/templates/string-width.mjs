// Stands in for string-width in the command's bundle: yargs lays out our own help with it, which is
// ASCII without colours. The package compiles Unicode's emoji tables at load, twice: 50 ms of every
// engine command.

/** Columns of `text` on a terminal. */
export default function stringWidth(text) {
  return [...text].length
}
