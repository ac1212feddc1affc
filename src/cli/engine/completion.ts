/** `tsrun completion`: scripts that complete commands, options and names in a shell. */
import { TsrunError } from '../../errors.ts'
import type { CommandInput, EngineCommand } from './command.ts'

const SHELLS = ['bash', 'zsh', 'fish'] as const

export const command: EngineCommand = {
  usage: 'completion SHELL',
  describe:
    'Print the script that completes commands, options and names for bash, zsh or fish. Names of containers, images, volumes and networks are looked up while you type.',
  options: {},
  examples: [
    { does: 'In this bash', line: 'completion bash > /tmp/tsrun.bash && source /tmp/tsrun.bash' },
    { does: 'For every zsh', line: 'completion zsh > /usr/local/share/zsh/site-functions/_tsrun' },
    { does: 'For every fish', line: 'completion fish > ~/.config/fish/completions/tsrun.fish' },
  ],
  positionals: { min: 1, max: 1 },
  worksWithoutRoot: () => true,
  run,
}

async function run({ positionals }: CommandInput): Promise<number> {
  const shell = SHELLS.find((name) => name === positionals[0])
  if (shell === undefined) {
    throw new TsrunError(
      'invalid-argument',
      `cannot complete in "${positionals[0]}": there are scripts for ${SHELLS.join(', ')}`,
    )
  }
  const { completionScript } = await import('./completion/completion-script.ts')
  process.stdout.write(await completionScript(shell))
  return 0
}
