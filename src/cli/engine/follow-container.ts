/** Stays with a container that runs in the foreground until it ends or the user leaves it. */
import { shortId } from '../../engine/container-record.ts'
import { describeLimits } from '../../engine/describe-limits.ts'
import type { Engine } from '../../engine/engine.ts'
import { mayRestart } from '../../engine/next-restart.ts'
import { cleanUpContainer } from '../../engine/remove-container.ts'
import type { RunningContainer } from '../../engine/start-under-monitor.ts'
import { exitCodeOfStatus, waitForExit } from '../../engine/wait-container.ts'
import { TsrunError } from '../../errors.ts'
import type { ForegroundSignals } from '../foreground-signals.ts'
import type { UserTerminal } from './user-terminal.ts'

const EXIT_BROKEN_PIPE = 141

/** Resolves to the exit code of the command: the container's, or 0 when the user has left it. */
export async function followContainer(
  engine: Engine,
  { id, client }: RunningContainer,
  terminal: UserTerminal,
  signals: ForegroundSignals,
): Promise<number> {
  if (client === undefined) {
    throw new TsrunError('internal', 'cannot follow the container: it has no monitor')
  }
  using connection = client
  const end = await Promise.race([connection.exit, terminal.left])
  if (end === 'detached') return 0
  if (end === 'broken-pipe') return EXIT_BROKEN_PIPE
  signals[Symbol.dispose]()
  terminal[Symbol.dispose]()
  await terminal.flush()
  // Without a status the monitor was killed; the container may live on.
  if (end === undefined) return await waitForExit(engine.containers, id)
  // Nobody but its monitor cleans up after a container that may be started anew.
  const record = engine.containers.read(id)
  if (record !== undefined && mayRestart(record)) return exitCodeOfStatus(end)
  const limits = describeLimits(await cleanUpContainer(engine, id))
  if (limits !== '') process.stderr.write(`tsrun: container ${shortId(id)}: ${limits}\n`)
  await connection.cleaned()
  return exitCodeOfStatus(end)
}
