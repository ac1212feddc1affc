/**
 * Engine commands without root. What touches files of images and containers, whose owners are subordinate ids, runs
 * once more as root of a user namespace that maps them; what touches running containers stays outside: each command
 * has a namespace of its own, and only from outside has the user the rights in those of all.
 */
import { killAsUser, runInOwnNamespace } from '../../engine/user-namespace.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { FORWARDED } from './forward-signal.ts'

/** By their last word: `container exec` is `exec`. */
const OUTSIDE: ReadonlySet<string> = new Set([
  'attach',
  'exec',
  'images',
  'info',
  'inspect',
  'internal-names',
  'kill',
  'logs',
  'pause',
  'rename',
  'stats',
  'stop',
  'tag',
  'top',
  'unpause',
  'unshare',
  'wait',
])

/** `words` are the command line from the command's name on. */
export async function runAsUser(
  name: string,
  command: EngineCommand,
  input: CommandInput,
  words: readonly string[],
): Promise<number> {
  const last = name.split(' ').at(-1) ?? ''
  if (OUTSIDE.has(last)) return await command.run(input)
  await endFirst(name, input)
  return await runInOwnNamespace([...input.roots.command, ...words], FORWARDED)
}

// What is to be removed or started anew must have ended: from another namespace it could not be killed.
async function endFirst(
  name: string,
  { options, positionals, roots }: CommandInput,
): Promise<void> {
  if (/^(container )?restart$/.test(name)) {
    const { stopOptionsOf } = await import('./stop.ts')
    await killAsUser(roots, positionals, stopOptionsOf(options))
  }
  if (/^(container )?rm$/.test(name) && options.flag('force'))
    await killAsUser(roots, positionals, { signal: 9, timeout: -1 })
}
