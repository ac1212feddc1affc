/** `run`: from a request to a container that runs under its monitor. */
import type { Engine } from './engine.ts'
import { type MakeOptions, makeContainer } from './make-container.ts'
import type { RunRequest } from './run-request.ts'
import {
  type RunningContainer,
  type StartOptions,
  startUnderMonitor,
} from './start-under-monitor.ts'

export type RunOptions = MakeOptions & StartOptions

/** Runs a container. When a step fails nothing of it is left. */
export async function runContainer(
  engine: Engine,
  request: RunRequest,
  options: RunOptions,
): Promise<RunningContainer> {
  return await makeContainer(engine, request, options, async ({ unfinished, record, config }) => {
    const unlock = () => unfinished.finish()
    return await startUnderMonitor(engine, { record, config, unlock }, options)
  })
}
