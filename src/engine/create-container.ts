/** `create`: a container that waits for its first `start`. */

import type { Engine } from './engine.ts'
import { type MakeOptions, makeContainer } from './make-container.ts'
import { unmountRoot } from './root-filesystem.ts'
import type { RunRequest } from './run-request.ts'

/** Makes the container without starting it; resolves to its id. When a step fails nothing of it is left. */
export async function createContainer(
  engine: Engine,
  request: RunRequest,
  options: MakeOptions,
): Promise<string> {
  return await makeContainer(engine, request, options, async ({ unfinished, record }) => {
    unmountRoot(engine, unfinished.id)
    engine.containers.write({ ...record, state: { status: 'created' } })
    unfinished.finish()
    return unfinished.id
  })
}
