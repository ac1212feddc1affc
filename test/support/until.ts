/** Waiting for what must come. Time decides nothing: the deadline is for what never comes. */
import { PATIENCE } from './patience.ts'

const PATIENCE_MS = 60_000 * PATIENCE
const INTERVAL_MS = 10

/** Waits until `condition` holds; the error says what did not. */
export async function until(
  what: string | (() => string),
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  while (!(await condition())) {
    if (Date.now() > deadline)
      throw new Error(`it never came that ${typeof what === 'string' ? what : what()}`)
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS))
  }
}
