/** The root file system of the test machine. */
import { makeOnce } from './make-once.mjs'

const INPUTS = ['guest', 'guest-packages.txt', 'guest-masked-units.txt']
// The tree, the image and the packages between them.
const NEED = { packages: 'machine', gibibytes: 4, minutes: 10 }

/** Its path. */
export function prepareImage({ log, signal }) {
  return makeOnce('image', { inputs: INPUTS, words: [process.version], need: NEED, log, signal })
}
