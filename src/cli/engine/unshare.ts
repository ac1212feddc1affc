/** `tsrun unshare`: a command in the user namespace that containers of a user without root get. */
import { programInOwnNamespace } from '../../engine/user-namespace.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { FORWARDED } from './forward-signal.ts'

export const command: EngineCommand = {
  usage: 'unshare [COMMAND] [ARG...]',
  describe:
    'Run a command, or a shell, as root of a user namespace with the ids of /etc/subuid and /etc/subgid: to look at files of containers, or for programs that use the library.',
  options: {},
  examples: [
    { does: 'Who owns the files of a volume', line: 'unshare ls -l volume' },
    { does: 'A program with the library, without root', line: 'unshare node program.js' },
  ],
  positionals: { min: 0, max: Number.POSITIVE_INFINITY },
  optionsFirst: true,
  run,
}

async function run({ positionals }: CommandInput): Promise<number> {
  const words = positionals.length === 0 ? [process.env.SHELL ?? '/bin/sh'] : positionals
  return await programInOwnNamespace(words, FORWARDED)
}
